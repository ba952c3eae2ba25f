import { readFile, stat } from 'node:fs/promises';
import type { ImageSteps } from '@carcosa/contracts';
import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { ImageFailure } from '../failure.ts';
import type { ImageLimits } from '../limits.ts';
import { cleanSvg, UncleanDrawing } from './clean-svg.ts';
import { openHeic } from './heic.ts';
import { kindOf } from './kind.ts';

/** A picture that may be decoded: it was looked at, and is not too large. */
export interface OpenedSource {
  readonly image: Sharp;
  /** Pixels of the upright picture, or of one frame of it. */
  readonly width: number;
  readonly height: number;
  /** Frames that are kept. */
  readonly frames: number;
  /** Milliseconds of each frame, and how often all are shown, where frames are kept. */
  readonly delay?: number[] | undefined;
  readonly loop?: number | undefined;
  readonly exif?: Buffer | undefined;
}

export interface OpenOptions {
  readonly limits: ImageLimits;
  /** From 1. */
  readonly page?: number | undefined;
  readonly animated?: boolean | undefined;
  /** What is done first: a drawing is drawn as large as it is wanted. */
  readonly steps?: ImageSteps | undefined;
}

/** @throws ImageFailure, or an error of the library */
export async function openSource(path: string, options: OpenOptions): Promise<OpenedSource> {
  const { size } = await stat(path).catch(() => {
    throw new ImageFailure('source-missing', 'The original is not there.');
  });
  if (size === 0) throw new ImageFailure('unreadable', 'The file is empty.');
  const kind = await kindOf(path);
  if (kind !== 'library' && (options.page ?? 1) > 1) throw new ImageFailure('impossible', 'It has one page.');
  if (kind === 'heic') return { ...(await openHeic(path, options.limits)), frames: 1 };
  if (kind === 'svg') return await openDrawing(path, size, options);
  return await openByLibrary(path, options);
}

function strict(limits: ImageLimits): SharpOptions {
  return { limitInputPixels: limits.inputPixels, failOn: 'error', sequentialRead: true };
}

async function openByLibrary(path: string, { limits, page = 1, animated }: OpenOptions): Promise<OpenedSource> {
  const image = sharp(path, strict(limits));
  const metadata = await image.metadata();
  const { pages = 1 } = metadata;
  if (pages > limits.frames)
    throw new ImageFailure('too-large', `It has ${pages} frames or pages; a picture may have ${limits.frames}.`);
  if (page > pages) throw new ImageFailure('impossible', `There is no page ${page}: it has ${pages}.`);
  const { width, height } = metadata.autoOrient;
  const isWhole = animated === true && pages > 1;
  assertSize(metadata, isWhole ? pages : 1, limits);
  const { exif } = metadata;
  if (isWhole) {
    const { delay, loop } = metadata;
    return { image: sharp(path, { ...strict(limits), pages: -1 }), width, height, frames: pages, delay, loop, exif };
  }
  const one = page === 1 ? image : sharp(path, { ...strict(limits), page: page - 1 });
  if (page === 1) return { image: one, width, height, frames: 1, exif };
  // Pages of a document have sizes of their own.
  const own = await one.metadata();
  assertSize(own, 1, limits);
  return { image: one, width: own.autoOrient.width, height: own.autoOrient.height, frames: 1, exif };
}

const CHANNEL_BYTES: Readonly<Record<string, number>> = { uchar: 1, char: 1, ushort: 2, short: 2 };

function assertSize(metadata: Metadata, frames: number, limits: ImageLimits): void {
  const { width, height, isProgressive, channels = 4, depth = 'uchar' } = metadata;
  const pixels = width * height * frames;
  const of = frames > 1 ? ` in ${frames} frames` : '';
  if (pixels > limits.inputPixels)
    throw new ImageFailure(
      'too-large',
      `It has ${width} x ${height} pixels${of}; a picture may have ${limits.inputPixels}.`,
    );
  const bytes = pixels * channels * (CHANNEL_BYTES[depth] ?? 4);
  if (!isProgressive || bytes <= limits.interlacedBytes) return;
  const message = `It has ${width} x ${height} pixels and is interlaced or progressive, which takes ${bytes} bytes to decode; ${limits.interlacedBytes} are allowed.`;
  throw new ImageFailure('too-large', message);
}

/** Dots an inch at which a drawing has the size that it names. */
const NATURAL_DENSITY = 72;
const MAX_DENSITY = 100_000;

async function openDrawing(path: string, size: number, { limits, steps }: OpenOptions): Promise<OpenedSource> {
  if (size > limits.drawingBytes)
    throw new ImageFailure('too-large', `It has ${size} bytes; a drawing may have ${limits.drawingBytes}.`);
  const svg = Buffer.from(cleaned(await readFile(path, 'utf8')));
  const natural = await sharp(svg, strict(limits)).metadata();
  const scale = scaleOf(natural, steps, limits);
  const density = Math.min(MAX_DENSITY, Math.max(1, NATURAL_DENSITY * scale));
  const image = sharp(svg, { ...strict(limits), density });
  const { width, height } = await image.metadata();
  return { image, width, height, frames: 1 };
}

function cleaned(text: string): string {
  try {
    return cleanSvg(text);
  } catch (error) {
    if (error instanceof UncleanDrawing) throw new ImageFailure('unreadable', error.message);
    throw error;
  }
}

/** As large as it is wanted, so that it never has to grow as pixels; an area is counted in the size that the drawing names. */
function scaleOf({ width, height }: Metadata, steps: ImageSteps | undefined, limits: ImageLimits): number {
  if (!steps || steps.crop || (steps.width === undefined && steps.height === undefined)) return 1;
  const wanted = Math.max((steps.width ?? 0) / width, (steps.height ?? 0) / height);
  // A little more than wanted: sides are rounded.
  return Math.min(wanted + 1 / Math.min(width, height), Math.sqrt(limits.inputPixels / (width * height)) * 0.99);
}
