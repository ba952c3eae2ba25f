import { readFile } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { ImageFailure } from '../failure.ts';
import type { ImageLimits } from '../limits.ts';

/** Decodes the first picture of a HEIC file, upright, by libheif as WebAssembly: the library's own build has no HEVC. */
export async function openHeic(
  path: string,
  limits: ImageLimits,
): Promise<{ image: Sharp; width: number; height: number }> {
  const { default: decode } = await import('heic-decode');
  const images = await decode.all({ buffer: new Uint8Array(await readFile(path)) }).catch((error: unknown) => {
    throw new ImageFailure('unreadable', error instanceof Error ? error.message : 'it is damaged');
  });
  try {
    const [first] = images;
    if (!first || !(first.width > 0 && first.height > 0)) throw new ImageFailure('unreadable', 'it holds no picture');
    const { width, height } = first;
    if (width * height > limits.heicPixels) {
      const message = `It has ${width} x ${height} pixels; a HEIC picture may have ${limits.heicPixels}.`;
      throw new ImageFailure('too-large', message);
    }
    const { data } = await first.decode().catch(() => {
      throw new ImageFailure('unreadable', 'its pixels cannot be decoded');
    });
    const pixels = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    return { image: sharp(pixels, { raw: { width, height, channels: 4 } }), width, height };
  } finally {
    images.dispose();
  }
}
