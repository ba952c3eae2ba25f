import { contentRange, multipartRanges, type RequestedRanges } from '@carcosa/domain';
import type { BodyPiece } from './body.ts';

/** What an answer with a body consists of. */
export interface Plan {
  readonly status: 200 | 206;
  /** Content-Type with its parameters. */
  readonly contentType: string;
  /** Bytes of the body. */
  readonly length: number;
  readonly pieces: readonly BodyPiece[];
  /** Content-Range; null for the whole and for several ranges, which carry their own. */
  readonly range: string | null;
}

export interface PlannedFile {
  /** Bytes. */
  readonly size: number;
  /** Content-Type with its parameters. */
  readonly contentType: string;
}

/** @param boundary makes the text between the parts of several ranges; called only for these */
export function planBody(
  file: PlannedFile,
  ranges: Exclude<RequestedRanges, 'unsatisfiable'>,
  boundary: () => string,
): Plan {
  const { size, contentType } = file;
  if (ranges === 'whole')
    return { status: 200, contentType, length: size, pieces: [{ start: 0, end: size - 1 }], range: null };
  const [only] = ranges;
  if (ranges.length === 1 && only) {
    const length = only.end - only.start + 1;
    return { status: 206, contentType, length, pieces: ranges, range: contentRange(only, size) };
  }
  const body = multipartRanges(ranges, file, boundary());
  const pieces = [...body.pieces.flatMap((piece): BodyPiece[] => [piece.head, piece.range]), body.tail];
  return { status: 206, contentType: body.contentType, length: body.length, pieces, range: null };
}
