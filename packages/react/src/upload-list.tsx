import { useEffect, useRef, useState } from 'react';
import { pathOf } from './files-of.ts';
import type { Labels } from './labels.ts';
import { Progress, Status } from './progress.tsx';
import { useLabels } from './provider.tsx';
import { classes } from './upload-props.ts';
import type { UploadItem, UseUploads } from './use-uploads.ts';

export interface UploadListProps<Result> {
  uploads: UseUploads<Result>;
  className?: string;
  labels?: Partial<Labels>;
}

/** Each upload with its picture, how far it is, what went wrong, and what can be done about it. `data-state` is that of the upload. */
export function UploadList<Result>({ uploads, className, labels: own }: UploadListProps<Result>) {
  const labels = useLabels(own);
  const list = useRef<HTMLUListElement>(null);
  const remove = (id: string): void => {
    uploads.remove(id);
    // What had the focus is gone: the keyboard goes on from here.
    list.current?.focus();
  };
  return (
    <>
      <ul
        ref={list}
        tabIndex={-1}
        className={classes('carcosa-list', className)}
        aria-label={labels.uploads}
        hidden={uploads.uploads.length === 0}
      >
        {uploads.uploads.map((item) => (
          <Row key={item.id} item={item} labels={labels} retry={uploads.retry} remove={remove} />
        ))}
      </ul>
      <Status uploads={uploads} labels={labels} />
    </>
  );
}

interface RowProps {
  item: UploadItem<unknown>;
  labels: Labels;
  retry: (id: string) => void;
  remove: (id: string) => void;
}

function Row({ item: { id, file, task }, labels, retry, remove }: RowProps) {
  const { state, progress, error } = task;
  const name = pathOf(file);
  const isOver = state === 'completed' || state === 'failed' || state === 'cancelled';
  const button = (action: string, onClick: () => void) => (
    <button type="button" className="carcosa-action" aria-label={labels.action(action, name)} onClick={onClick}>
      {action}
    </button>
  );
  return (
    <li className="carcosa-item" data-state={state}>
      <Thumbnail file={file} />
      <span className="carcosa-name" dir="auto">
        {name}
      </span>
      <span className="carcosa-detail" dir="auto" role={state === 'failed' ? 'alert' : undefined}>
        {state === 'failed' && error ? labels.error(error) : detail(task, file, labels)}
      </span>
      {!isOver && <Progress fraction={progress.fraction} label={name} />}
      <span className="carcosa-actions">
        {state === 'uploading' && button(labels.pause, () => task.pause())}
        {state === 'paused' && button(labels.resume, () => task.resume())}
        {state === 'failed' && button(labels.retry, () => retry(id))}
        {button(isOver ? labels.remove : labels.cancel, () => remove(id))}
      </span>
    </li>
  );
}

function detail({ state, progress }: UploadItem<unknown>['task'], file: File, labels: Labels): string {
  const size = labels.bytes(file.size);
  if (state === 'uploading') {
    const sent = `${labels.bytes(progress.bytes)} / ${size}`;
    return progress.remaining === null ? sent : `${sent} · ${labels.remaining(progress.remaining)}`;
  }
  return `${size} · ${{ waiting: labels.waiting, paused: labels.paused, completed: labels.completed, cancelled: labels.cancelled, failed: '' }[state]}`;
}

/** A picture shows itself; of others, their ending. */
function Thumbnail({ file }: { file: File }) {
  const [url, setUrl] = useState<string>();
  const isPicture = /^image\/(?!svg)/.test(file.type);
  useEffect(() => {
    if (!isPicture) return undefined;
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file, isPicture]);
  return (
    <span className="carcosa-thumbnail" aria-hidden="true">
      {url ? <img src={url} alt="" /> : (/\.(\w{1,4})$/.exec(file.name)?.[1] ?? '')}
    </span>
  );
}
