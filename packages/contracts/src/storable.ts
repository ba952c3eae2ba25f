/** Largest metadata of a file, as JSON text in UTF-8. */
export const MAX_METADATA_BYTES = 16 * 1024;
/** Deepest metadata: `{"a":[1]}` has a depth of 2. */
export const MAX_METADATA_DEPTH = 32;

/** Whether PostgreSQL can hold the text: it has neither NUL nor half of a surrogate pair. */
export function isStorable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

/** Says what is wrong with a file's metadata, parsed from JSON, or null. Does not recurse: the depth is the client's choice. */
export function metadataProblem(metadata: Record<string, unknown>): string | null {
  let digits = 0;
  const left: { value: unknown; depth: number }[] = [{ value: metadata, depth: 1 }];
  for (let item = left.pop(); item; item = left.pop()) {
    const { value, depth } = item;
    if (typeof value === 'string' && !isStorable(value)) return 'metadata has text with a NUL or half a character';
    if (typeof value === 'number') digits += digitsBeyondText(value);
    if (typeof value !== 'object' || value === null) continue;
    if (depth > MAX_METADATA_DEPTH) return `metadata is nested deeper than ${MAX_METADATA_DEPTH} levels`;
    if (!Array.isArray(value) && !Object.keys(value).every(isStorable))
      return 'metadata has a name with a NUL or half a character';
    for (const inner of Object.values(value)) left.push({ value: inner, depth: depth + 1 });
  }
  const size = new TextEncoder().encode(JSON.stringify(metadata)).length + digits;
  return size <= MAX_METADATA_BYTES ? null : `metadata is limited to ${MAX_METADATA_BYTES} bytes of JSON`;
}

/** `1e308` takes five bytes on the way in, but PostgreSQL's jsonb writes all 309 digits: whoever lists the file gets them. */
function digitsBeyondText(value: number): number {
  const exponent = /e[+-]?(\d+)$/.exec(String(value));
  return exponent ? Number(exponent[1]) : 0;
}

/** `focalPoint` means something to transforms: says what is wrong with it, or null. */
export function focalPointProblem({ focalPoint }: Record<string, unknown>): string | null {
  if (focalPoint === undefined || focalPoint === null) return null;
  const { x, y } = Object(focalPoint) as Record<string, unknown>;
  const isFraction = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1;
  if (isFraction(x) && isFraction(y)) return null;
  return 'metadata.focalPoint is a point of the picture, { "x": 0.5, "y": 0.25 }, each from 0 to 1';
}
