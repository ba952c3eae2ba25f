import type { File as StoredFile } from '@carcosa/sdk';
import { type ClipboardEvent, type DragEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { Chooser } from './chooser.tsx';
import { accepts, filesOf } from './files-of.ts';
import { Status } from './progress.tsx';
import { useLabels } from './provider.tsx';
import { UploadList } from './upload-list.tsx';
import { classes, type UploadPartProps, usePartUploads } from './upload-props.ts';

export interface UploadDropzoneProps<Result = StoredFile> extends UploadPartProps<Result> {
  /** Shows the list below; default true. */
  list?: boolean;
  /** Takes what is pasted anywhere on the page, rather than only while the focus is in it. */
  pasteAnywhere?: boolean;
  children?: ReactNode;
}

/**
 * Takes files and folders that are dropped, pasted or chosen. `data-state` is `dragging` while something is held above it, else that of
 * its list.
 */
export function UploadDropzone<Result = StoredFile>(props: UploadDropzoneProps<Result>) {
  const { accept, multiple = true, folders = false, disabled = false, className, list = true, children } = props;
  const { pasteAnywhere = false } = props;
  const labels = useLabels(props.labels);
  const uploads = usePartUploads(props);
  const [isDragging, setDragging] = useState(false);
  const hint = useId();

  const take = (files: File[]): void => {
    const wanted = files.filter((file) => accepts(accept, file));
    if (!disabled && wanted.length > 0) uploads.add(multiple ? wanted : wanted.slice(0, 1));
  };
  const takeFrom = (transfer: DataTransfer | null): void => {
    if (transfer) void filesOf(transfer).then(take);
  };
  usePaste(pasteAnywhere && !disabled, takeFrom);

  const drag = {
    onDragOver: (event: DragEvent) => {
      if (disabled || !event.dataTransfer.types.includes('Files')) return;
      event.preventDefault();
      setDragging(true);
    },
    onDragLeave: (event: DragEvent<HTMLElement>) => {
      // Also told when it goes over something inside.
      if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setDragging(false);
    },
    onDrop: (event: DragEvent) => {
      if (disabled) return;
      event.preventDefault();
      setDragging(false);
      takeFrom(event.dataTransfer);
    },
    onPaste: (event: ClipboardEvent) => {
      if (!pasteAnywhere) takeFrom(event.clipboardData);
    },
  };
  return (
    <section
      className={classes('carcosa-dropzone', className)}
      aria-label={labels.uploads}
      data-state={isDragging ? 'dragging' : uploads.state}
      data-disabled={disabled || undefined}
      {...drag}
    >
      <div className="carcosa-dropzone-area">
        <Chooser {...{ labels, accept, multiple, folders, disabled }} describedBy={hint} onFiles={take}>
          {children}
        </Chooser>
        <span id={hint} className="carcosa-hint">
          {isDragging ? labels.dropNow : labels.drop}
        </span>
      </div>
      {list && <UploadList uploads={uploads} labels={labels} />}
      {!list && <Status uploads={uploads} labels={labels} />}
    </section>
  );
}

function usePaste(isOn: boolean, take: (transfer: DataTransfer | null) => void): void {
  const latest = useRef(take);
  useEffect(() => {
    latest.current = take;
  });
  useEffect(() => {
    if (!isOn) return undefined;
    const paste = (event: globalThis.ClipboardEvent): void => latest.current(event.clipboardData);
    document.addEventListener('paste', paste);
    return () => document.removeEventListener('paste', paste);
  }, [isOn]);
}
