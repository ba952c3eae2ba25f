import { type ImageFormat, type ImageTransform, type ResolvedTransform, withoutDefaults } from '@carcosa/contracts';

/** Types of originals that are read, and the format that each is written in where no other is asked for. */
const READABLE: Readonly<Record<string, ImageFormat>> = {
  'image/jpeg': 'jpeg',
  'image/png': 'png',
  'image/apng': 'png',
  'image/webp': 'webp',
  'image/avif': 'avif',
  'image/gif': 'gif',
  // Browsers do not show these.
  'image/tiff': 'png',
  'image/svg+xml': 'png',
  'image/heic': 'jpeg',
  'image/heif': 'jpeg',
  'image/heic-sequence': 'jpeg',
  'image/heif-sequence': 'jpeg',
};

/** The format in which an original of this type is written; null for what is no picture that we read. */
export function formatOf(contentType: string): ImageFormat | null {
  return Object.hasOwn(READABLE, contentType) ? (READABLE[contentType] as ImageFormat) : null;
}

/** Why a type cannot be transformed, for a person. */
export function unreadableType(contentType: string): string {
  const others = 'JPEG, PNG, WebP, AVIF, GIF, TIFF, HEIC and SVG can';
  const why = contentType === 'application/pdf' ? '; this server has no library for documents' : '';
  return `Files of the type ${contentType} cannot be transformed${why}; ${others}.`;
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
export function acceptedFormat(accept: string): ImageFormat | null {
  const wanted = accept
    .toLowerCase()
    .split(',')
    .map((range) => range.trim().split(/\s*;\s*/))
    .filter(([, ...parameters]) => !parameters.some((each) => /^q=0(\.0*)?$/.test(each)))
    .map(([type]) => type);
  if (wanted.includes('image/avif')) return 'avif';
  return wanted.includes('image/webp') ? 'webp' : null;
}
