import type { UploadRow } from '@carcosa/database';
import { CarcosaError } from '@carcosa/kernel';
import { IMAGE_SIZE_BYTES, imageSize } from '@carcosa/media';

/** What the bytes of one upload must be, as whoever let it happen said. */
export interface UploadRules {
  /** `image/png`, or a family: `image/*`. */
  types?: readonly string[] | undefined;
  /** Pixels of a picture, as they are stored. */
  minWidth?: number | undefined;
  maxWidth?: number | undefined;
  minHeight?: number | undefined;
  maxHeight?: number | undefined;
}

/**
 * Holds an upload that is whole to its rules, by its bytes.
 * @param content `head` gives the first bytes, at most so many
 * @throws CarcosaError `file_type_not_allowed`, `file_measures_not_allowed`
 */
export async function assertUploadRules(
  { doorState }: Pick<UploadRow, 'doorState'>,
  content: { contentType: string; head(bytes: number): Promise<Uint8Array> },
): Promise<void> {
  const rules = doorState.accepts as UploadRules | undefined;
  if (!rules) return;
  const { types } = rules;
  const { contentType } = content;
  if (types && !types.some((type) => isOfType(contentType, type))) {
    throw new CarcosaError('file_type_not_allowed', {
      message: `The bytes are ${contentType}, and what may be uploaded here is ${types.join(', ')}.`,
      details: { allowedTypes: types, contentType },
    });
  }
  await assertMeasures(rules, content);
}

async function assertMeasures(
  { minWidth, maxWidth, minHeight, maxHeight }: UploadRules,
  { contentType, head }: { contentType: string; head(bytes: number): Promise<Uint8Array> },
): Promise<void> {
  const limits = { minWidth, maxWidth, minHeight, maxHeight };
  const isLimited = Object.values(limits).some((limit) => limit !== undefined);
  if (!isLimited || !contentType.startsWith('image/')) return;
  const size = imageSize(await head(IMAGE_SIZE_BYTES));
  const refuse = (message: string): CarcosaError =>
    new CarcosaError('file_measures_not_allowed', { message, details: { ...limits, ...size } });
  if (!size) throw refuse('The measures of this picture cannot be read, and they are limited here.');
  const { width, height } = size;
  const isWithin =
    width >= (minWidth ?? 0) &&
    width <= (maxWidth ?? Number.POSITIVE_INFINITY) &&
    height >= (minHeight ?? 0) &&
    height <= (maxHeight ?? Number.POSITIVE_INFINITY);
  if (isWithin) return;
  throw refuse(`The picture is ${width} x ${height} pixels; ${wordsOf(limits)}.`);
}

function wordsOf(limits: Pick<UploadRules, 'minWidth' | 'maxWidth' | 'minHeight' | 'maxHeight'>): string {
  const between = (what: string, min: number | undefined, max: number | undefined): string[] => {
    if (min === undefined && max === undefined) return [];
    if (max === undefined) return [`its ${what} must be at least ${min}`];
    if (min === undefined) return [`its ${what} may be at most ${max}`];
    return [min === max ? `its ${what} must be ${min}` : `its ${what} must be ${min} to ${max}`];
  };
  return [
    ...between('width', limits.minWidth, limits.maxWidth),
    ...between('height', limits.minHeight, limits.maxHeight),
  ].join(' and ');
}

/** Whether a type, such as `image/png; …`, is that one or of that family (`image/*`). */
export function isOfType(contentType: string, type: string): boolean {
  const [essence = ''] = contentType.toLowerCase().split(';', 1);
  return type.endsWith('/*') ? essence.startsWith(type.slice(0, -1)) : essence.trim() === type;
}
