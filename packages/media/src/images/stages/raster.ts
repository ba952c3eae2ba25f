import sharp, { type Sharp } from 'sharp';

/** Pixels of eight bits, red, green, blue and opacity; the frames of an animation below one another. */
export interface Raster {
  readonly data: Buffer;
  readonly width: number;
  /** Of one frame. */
  readonly height: number;
  readonly frames: number;
}

/** Does all that was asked of the pipeline. */
export async function rasterOf(image: Sharp, frames: number): Promise<Raster> {
  const { data, info } = await image
    .ensureAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height / frames, frames };
}

/** A pipeline that begins with these pixels. */
export function imageOf({ data, width, height, frames }: Raster): Sharp {
  const raw = { width, height: height * frames, channels: 4 as const };
  return sharp(data, { raw: frames > 1 ? { ...raw, pageHeight: height } : raw });
}
