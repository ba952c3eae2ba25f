import type { FileFacts } from '@carcosa/contracts';
import { encode as blurhash } from 'blurhash';
import sharp, { type Metadata } from 'sharp';
import { rgbaToThumbHash } from 'thumbhash';
import { IMAGE_LIMITS } from '../images/limits.ts';
import { dominantColors } from './colors.ts';
import { exifFacts } from './exif.ts';
import { orientationOf } from './orientation.ts';
import { HASH_SIDE, perceptualHash } from './perceptual-hash.ts';
import type { FactsFound } from './protocol.ts';

/** The side of the picture that placeholders and colours are made of: as large as thumbhash takes. */
const SMALL = 100;
const BLUR = 32;

/** What a picture says of itself, and what it looks like. @throws Error of the library for what is no picture */
export async function imageFacts(file: string): Promise<FactsFound> {
  const options = { limitInputPixels: IMAGE_LIMITS.inputPixels, failOn: 'error', sequentialRead: true } as const;
  const metadata = await sharp(file, options).metadata();
  assertPixels(metadata);
  const { width, height } = metadata.autoOrient;
  const upright = await sharp(file, options)
    .autoOrient()
    .resize(SMALL, SMALL, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { exif, location } = exifFacts(metadata.exif);
  const facts: FileFacts = {
    kind: 'image',
    ...{ width, height, orientation: orientationOf(width, height) },
    ...(metadata.orientation === undefined ? {} : { exifOrientation: metadata.orientation }),
    hasAlpha: metadata.hasAlpha,
    ...((metadata.pages ?? 1) > 1 ? { frames: metadata.pages } : {}),
    colors: dominantColors(upright.data),
    ...(await looks(upright)),
    ...(exif ? { exif } : {}),
  };
  return { facts, location, text: null };
}

/** What a picture looks like, from a small one. */
async function looks({ data, info }: { data: Buffer; info: { width: number; height: number } }) {
  const { width, height } = info;
  const small = () => sharp(data, { raw: { width, height, channels: 4 } });
  const [grey, blurred] = await Promise.all([
    small().flatten({ background: '#fff' }).greyscale().resize(HASH_SIDE, HASH_SIDE, { fit: 'fill' }).raw().toBuffer(),
    small().resize(BLUR, BLUR, { fit: 'fill' }).raw().toBuffer(),
  ]);
  return {
    thumbhash: Buffer.from(rgbaToThumbHash(width, height, data)).toString('base64'),
    blurhash: blurhash(new Uint8ClampedArray(blurred), BLUR, BLUR, 4, 3),
    perceptualHash: perceptualHash(grey),
  };
}

/** Of the pixels that facts are read from. */
const PIXEL_BYTES = 4;

/** Pictures in passes are in memory as a whole while they are read. */
function assertPixels({ width, height, isProgressive }: Metadata): void {
  const most = isProgressive ? IMAGE_LIMITS.interlacedBytes / PIXEL_BYTES : IMAGE_LIMITS.inputPixels;
  if (width * height > most) throw new Error(`it has ${width} x ${height} pixels; ${most} are allowed`);
}
