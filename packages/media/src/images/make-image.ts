import { rm, writeFile } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { encode } from './encoding/encode.ts';
import { fitQuality } from './encoding/fit-quality.ts';
import { failureOf, ImageFailure } from './failure.ts';
import type { ImageLimits } from './limits.ts';
import type { AnyTask, ImageResult, ImageTask, ReduceTask } from './protocol.ts';
import { type OpenedSource, openSource } from './source/open-source.ts';
import { openReduced, writeReduced } from './source/reduced.ts';
import { runGroups } from './stages/run-groups.ts';

/** What may be decoded: not documents, nor formats that only few programs write. Drawings come from memory, cleaned. */
const DECODERS = ['Jpeg', 'Png', 'Webp', 'Heif', 'Nsgif', 'Tiff', 'SvgBuffer'];

/** Sets the library up for a process that makes one picture at a time. To be called once. */
export function prepareLibrary(): void {
  sharp.concurrency(1);
  sharp.cache(false);
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: DECODERS.map((name) => `VipsForeignLoad${name}`) });
}

/** Makes the picture. @throws ImageFailure; nothing lies at the target then */
export async function makeImage(task: AnyTask, limits: ImageLimits): Promise<ImageResult> {
  try {
    return 'reduceTo' in task ? await reduce(task, limits) : await make(task, limits);
  } catch (error) {
    await rm(task.target, { force: true });
    throw error instanceof ImageFailure ? error : failureOf(error);
  }
}

async function make(task: ImageTask, limits: ImageLimits): Promise<ImageResult> {
  const { source, target, transform, overlays = [], reduced } = task;
  const { page, animated, format, quality, maxBytes, keep = [] } = transform;
  const smaller = reduced === undefined ? null : await openReduced(reduced, transform);
  const opened = smaller ?? (await openSource(source, { limits, page, animated, steps: transform }));
  const image = await runGroups(opened, transform, { limits, overlays });
  const encoding = { format, keep };
  const made =
    quality === 'auto' || maxBytes !== undefined
      ? await writeFitting(await fitQuality(image, { ...encoding, quality, maxBytes }, opened), target)
      : await encode(image, { ...encoding, quality }, opened).toFile(target);
  const height = made.pageHeight ?? made.height;
  if (made.size > limits.outputBytes || made.width * made.height > limits.outputPixels) {
    throw new ImageFailure('too-large', 'The result is too large.');
  }
  return { size: made.size, width: made.width, height, source: sizeOf(opened) };
}

async function writeFitting(bytes: Buffer, target: string) {
  const { width, height, pageHeight } = await sharp(bytes, { pages: -1 }).metadata();
  await writeFile(target, bytes, { flag: 'wx' });
  return { size: bytes.length, width, height, pageHeight };
}

async function reduce({ source, target, reduceTo }: ReduceTask, limits: ImageLimits): Promise<ImageResult> {
  const opened = await openSource(source, { limits });
  const small: Sharp = opened.image
    .autoOrient()
    .resize({ width: reduceTo, height: reduceTo, fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb');
  const { data, info } = await small.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const size = await writeReduced(target, data, { width, height, channels: channels as 1 | 2 | 3 | 4 });
  return { size, width, height, source: sizeOf(opened) };
}

const sizeOf = ({ width, height }: OpenedSource) => ({ width, height });
