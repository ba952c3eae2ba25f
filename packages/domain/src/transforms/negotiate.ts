import { type ImageFormat, type ImageTransform, type ResolvedTransform, withoutDefaults } from '@carcosa/contracts';

/** Types of originals that are read, and the format that each is written in where no other is asked for. */
const READABLE: Readonly<Record<string, ImageFormat>> = {
  'image/jpeg': 'jpeg',
  'image/png': 'png',
  'image/apng': 'png',
  'image/webp': 'webp',
  'image/avif': 'avif',
  'image/gif': 'gif',
  // Browsers do not show it.
  'image/tiff': 'png',
};

/** The format in which an original of this type is written; null for what is no picture that we read. */
export function formatOf(contentType: string): ImageFormat | null {
  return Object.hasOwn(READABLE, contentType) ? (READABLE[contentType] as ImageFormat) : null;
}

/**
 * Decides about the format where the address does not.
 * @param accept of the request
 */
export function resolveFormat(
  transform: ImageTransform,
  original: ImageFormat,
  accept: string | undefined,
): ResolvedTransform {
  const format =
    transform.format === 'auto' ? (acceptedFormat(accept ?? '') ?? original) : (transform.format ?? original);
  return withoutDefaults({ ...transform, format }) as ResolvedTransform;
}

/** Browsers name the formats that not all of them read; a type of which they say `q=0` they do not want. */
function acceptedFormat(accept: string): ImageFormat | null {
  const wanted = accept
    .toLowerCase()
    .split(',')
    .map((range) => range.trim().split(/\s*;\s*/))
    .filter(([, ...parameters]) => !parameters.some((each) => /^q=0(\.0*)?$/.test(each)))
    .map(([type]) => type);
  if (wanted.includes('image/avif')) return 'avif';
  return wanted.includes('image/webp') ? 'webp' : null;
}
