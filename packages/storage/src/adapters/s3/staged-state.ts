import { CarcosaError } from '@carcosa/kernel';
import type { StagedRef } from '../../port.ts';

/** A small object that holds bytes of the part that is not full yet. */
export type Segment = { readonly key: string; readonly size: number };

/** What an upload's row keeps of its staged bytes: plain JSON, small however large the upload is. Sizes in bytes. */
export type StagedState = {
  readonly kind: 'staged';
  readonly uploadId: string;
  /** The final key, as the port says it. */
  readonly key: string;
  readonly contentType: string;
  readonly size: number | null;
  readonly partSize: number;
  /** Rises with each writer. */
  readonly generation: number;
  /** Who saved this state; never used twice. */
  readonly writer: string;
  /** How many bytes are durable. */
  readonly length: number;
  /** Known to fit in one PUT: there is no multipart upload, nor will there be. */
  readonly single: boolean;
  /** Id of the multipart upload; `null` before it has begun. */
  readonly multipart: string | null;
  /** What follows the parts, in order. */
  readonly tail: readonly Segment[];
  /** Small objects that only the state before this one needs. */
  readonly stale: readonly string[];
  /** Where the first bytes are kept while nobody can read them from the parts. */
  readonly head: string | null;
  /** Everything lies under the final key. */
  readonly whole: boolean;
};

/** @throws CarcosaError `internal_error` for a ref that this adapter did not make */
export function parseStagedState(ref: StagedRef): StagedState {
  const { kind, uploadId, key, length, partSize, tail } = ref;
  const sound =
    kind === 'staged' &&
    typeof uploadId === 'string' &&
    typeof key === 'string' &&
    typeof length === 'number' &&
    typeof partSize === 'number' &&
    Array.isArray(tail);
  if (!sound)
    throw new CarcosaError('internal_error', { message: 'The upload does not say where its bytes are staged.' });
  return ref as StagedState;
}

/** How many parts the durable bytes fill; the last may be short when nothing can follow it. */
export function partCount(state: StagedState): number {
  return Math.ceil((state.length - segmentsLength(state.tail)) / state.partSize);
}

/** Bytes that the segments hold. */
export function segmentsLength(segments: readonly Segment[]): number {
  return segments.reduce((sum, { size }) => sum + size, 0);
}

/** What a save changes: the tail is that of the part that is not full. */
export type SavedProgress = Pick<StagedState, 'writer' | 'generation' | 'length' | 'multipart' | 'tail' | 'head'>;

/** The state after a save. @param removed names of small objects that are gone, and so need not be remembered */
export function stateAfterSave(before: StagedState, saved: SavedProgress, removed: readonly string[]): StagedState {
  const needed = new Set([...saved.tail.map(({ key }) => key), ...removed]);
  const replaced = [...before.stale, ...before.tail.map(({ key }) => key)];
  return { ...before, ...saved, stale: replaced.filter((key) => !needed.has(key)) };
}

/** @throws CarcosaError `length_mismatch` when `bytes` more than `length` are too many */
export function assertRoom({ size, whole }: StagedState, length: number, bytes: number): void {
  if (size !== null && length + bytes > size) throw new CarcosaError('length_mismatch');
  if (whole && bytes > 0) throw new CarcosaError('internal_error', { message: 'This upload is complete.' });
}

/**
 * An upload can be cut back within the part that is in memory, or to what is saved.
 * @param cut the wanted length, the present one, and where the part begins, in bytes
 */
export function assertTruncatable(saved: StagedState, cut: { length: number; now: number; partStart: number }): void {
  const { length, now, partStart } = cut;
  if (length <= now && length >= saved.length && (length >= partStart || length === saved.length)) return;
  throw new CarcosaError('internal_error', { message: 'An upload can be cut back to its last synced offset only.' });
}

/** @throws CarcosaError `internal_error` for another key than the state's */
export function assertStagedFor(state: StagedState, key: string): void {
  if (key === state.key) return;
  throw new CarcosaError('internal_error', { message: 'An upload is committed under the key that it was staged for.' });
}
