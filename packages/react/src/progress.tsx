import type { Labels } from './labels.ts';
import type { UseUploads } from './use-uploads.ts';

/** A bar that grows in the direction of the text. */
export function Progress({ fraction, label }: { fraction: number; label: string }) {
  const percent = Math.round(fraction * 100);
  return (
    <span
      className="carcosa-progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <span className="carcosa-progress-bar" style={{ inlineSize: `${percent}%` }} />
    </span>
  );
}

/** Says to who cannot see how it goes: what was added, what is done, what has failed. Not the percentages, which would never end. */
export function Status({ uploads: { uploads, state }, labels }: { uploads: UseUploads<unknown>; labels: Labels }) {
  const ended = uploads.findLast(({ task }) => task.state === 'completed' || task.state === 'failed');
  const said = (): string => {
    if (ended?.task.state === 'failed' && ended.task.error)
      return labels.action(labels.error(ended.task.error), ended.file.name);
    if (ended) return labels.action(labels.completed, ended.file.name);
    return state === 'uploading' ? labels.added(uploads.length) : '';
  };
  return (
    <span className="carcosa-said" role="status" style={UNSEEN}>
      {said()}
    </span>
  );
}

/** Heard and not seen, also without the style sheet. */
const UNSEEN = {
  position: 'absolute',
  inlineSize: 1,
  blockSize: 1,
  overflow: 'hidden',
  clipPath: 'inset(50%)',
  whiteSpace: 'nowrap',
} as const;
