/** A part of a file, both ends inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a Range header asks for: nothing that counts, something outside of the file, or these parts in this order. */
export type RequestedRanges = 'whole' | 'unsatisfiable' | readonly ByteRange[];

/** More parts than any reader of documents or video asks for at once; what asks for more wants to cost us something. */
const MAX_RANGES = 16;
const MAX_HEADER = 1024;
/** What players and download managers send: one range with both ends. */
const PLAIN_RANGE = /^bytes=(\d{1,15})-(\d{1,15})$/;
const RANGE_SET = /^bytes=(.*)$/i;
const RANGE = /^(?:(\d+)-(\d*)|-(\d+))$/;

/**
 * Reads a Range header for a file of `size` bytes (RFC 9110, section 14.2). What is malformed or in another unit is ignored.
 * A server may also ignore ranges that cost more than the whole: more than {@link MAX_RANGES}, or that add up to more bytes.
 */
export function requestedRanges(header: string | undefined, size: number): RequestedRanges {
  if (header === undefined || header.length > MAX_HEADER) return 'whole';
  const plain = PLAIN_RANGE.exec(header);
  if (plain) {
    const range = rangeOf(Number(plain[1]), Number(plain[2]), size);
    if (range === 'malformed') return 'whole';
    return range === 'outside' ? 'unsatisfiable' : [range];
  }
  const set = RANGE_SET.exec(header)?.[1];
  if (set === undefined) return 'whole';
  const ranges: ByteRange[] = [];
  let specifications = 0;
  let total = 0;
  for (const item of set.split(',')) {
    const specification = item.trim();
    // RFC 9110, section 5.6.1.2: a recipient accepts empty elements of lists.
    if (specification === '') continue;
    const range = parseRange(specification, size);
    if (range === 'malformed') return 'whole';
    specifications++;
    if (range === 'outside') continue;
    ranges.push(range);
    total += range.end - range.start + 1;
  }
  if (specifications === 0) return 'whole';
  if (ranges.length === 0) return 'unsatisfiable';
  return ranges.length > MAX_RANGES || (ranges.length > 1 && total > size) ? 'whole' : ranges;
}

function parseRange(specification: string, size: number): ByteRange | 'malformed' | 'outside' {
  const match = RANGE.exec(specification);
  if (!match) return 'malformed';
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), size);
    return length === 0 ? 'outside' : { start: size - length, end: size - 1 };
  }
  return rangeOf(Number(first), last ? Number(last) : Number.POSITIVE_INFINITY, size);
}

function rangeOf(start: number, end: number, size: number): ByteRange | 'malformed' | 'outside' {
  if (end < start) return 'malformed';
  return start >= size ? 'outside' : { start, end: Math.min(end, size - 1) };
}

/** One part of a multipart/byteranges body: text that goes before the bytes of `range`. */
export interface MultipartPiece {
  readonly head: string;
  readonly range: ByteRange;
}

/** A multipart/byteranges body (RFC 9110, section 14.6). */
export interface MultipartRanges {
  readonly contentType: string;
  readonly pieces: readonly MultipartPiece[];
  /** Text behind the last piece. */
  readonly tail: string;
  /** Bytes of the whole body. */
  readonly length: number;
}

/** @param boundary letters and digits that the content cannot be expected to hold: take 128 random bits */
export function multipartRanges(
  ranges: readonly ByteRange[],
  file: { size: number; contentType: string },
  boundary: string,
): MultipartRanges {
  const pieces = ranges.map((range, index) => ({
    range,
    head:
      `${index === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${file.contentType}\r\n` +
      `Content-Range: ${contentRange(range, file.size)}\r\n\r\n`,
  }));
  const tail = `\r\n--${boundary}--\r\n`;
  const length = pieces.reduce((sum, { head, range }) => sum + head.length + range.end - range.start + 1, tail.length);
  return { contentType: `multipart/byteranges; boundary=${boundary}`, pieces, tail, length };
}

export function contentRange(range: ByteRange, size: number): string {
  return `bytes ${range.start}-${range.end}/${size}`;
}
