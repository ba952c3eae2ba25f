import { type ReactNode, useId, useRef } from 'react';
import type { Labels } from './labels.ts';

interface ChooserProps {
  labels: Labels;
  accept: string | undefined;
  multiple: boolean;
  folders: boolean;
  disabled: boolean;
  describedBy?: string;
  onFiles: (files: File[]) => void;
  children?: ReactNode;
}

/** A button that opens the browser's chooser: one stop of the keyboard, with a name. */
export function Chooser({ labels, accept, multiple, folders, disabled, describedBy, onFiles, children }: ChooserProps) {
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  return (
    <>
      <button
        type="button"
        className="carcosa-choose"
        disabled={disabled}
        aria-describedby={describedBy}
        onClick={() => input.current?.click()}
      >
        {children ?? (multiple ? labels.chooseMany : labels.choose)}
      </button>
      <input
        ref={input}
        id={id}
        type="file"
        hidden
        tabIndex={-1}
        aria-hidden="true"
        accept={accept}
        multiple={multiple}
        disabled={disabled}
        {...(folders ? { webkitdirectory: '' } : {})}
        onChange={({ currentTarget }) => {
          onFiles([...(currentTarget.files ?? [])]);
          // The same file can be chosen again.
          currentTarget.value = '';
        }}
      />
    </>
  );
}
