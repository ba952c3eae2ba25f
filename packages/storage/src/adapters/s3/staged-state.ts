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
