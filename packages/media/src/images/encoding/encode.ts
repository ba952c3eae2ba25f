import type { ImageFormat, KeptMetadata } from '@carcosa/contracts';
import type { Sharp } from 'sharp';
import { keptExif } from '../source/exif.ts';
import type { OpenedSource } from '../source/open-source.ts';

/**
 * The library's default effort costs a third more time than 2 for the same WebP picture, and several times as much as 0 for AVIF,
 * whose files are half the size of WebP even so.
 */
const WEBP_EFFORT = 2;
const AVIF_EFFORT = 0;

export interface Encoding {
  readonly format: ImageFormat;
  /** 1 to 100; absent: the library's own, which is that of the grammar: a test holds them equal. */
  readonly quality: number | undefined;
  readonly keep: readonly KeptMetadata[];
}

/**
 * Without any metadata but what was asked for, where the picture was taken least of all; the library turns colours into sRGB where it
 * drops their profile.
 */
export function encode(image: Sharp, { format, quality: wanted, keep }: Encoding, source: OpenedSource): Sharp {
  const quality = wanted === undefined ? {} : { quality: wanted };
  const frames = source.frames > 1 ? { ...(source.delay ? { delay: source.delay } : {}), loop: source.loop ?? 0 } : {};
  const described = keep.length > 0 ? withMetadata(image, keep, source) : image;
  switch (format) {
    case 'jpeg':
      return described.jpeg(quality);
    case 'webp':
      return described.webp({ ...quality, ...frames, effort: WEBP_EFFORT });
    case 'avif':
      return described.avif({ ...quality, effort: AVIF_EFFORT });
    case 'png':
      return described.png();
    case 'gif':
      return described.gif(frames);
  }
}

function withMetadata(image: Sharp, keep: readonly KeptMetadata[], { exif }: OpenedSource): Sharp {
  const profiled = keep.includes('icc') ? image.keepIccProfile() : image;
  const fields = keptExif(exif, keep);
  return Object.values(fields).some((group) => Object.keys(group ?? {}).length > 0)
    ? profiled.withExif(fields)
    : profiled;
}
