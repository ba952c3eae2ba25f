import { rm, stat } from 'node:fs/promises';
import sharp, { type Metadata } from 'sharp';
import type { ImageLimits } from './limits.ts';
import { buildPipeline } from './pipeline.ts';
import type { ImageFault, ImageResult, ImageTask } from './protocol.ts';
import { ImpossibleStep } from './steps/step.ts';

/** Why a picture could not be made; the message is for the client. */
export class ImageFailure extends Error {
  readonly fault: ImageFault;

  constructor(fault: ImageFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** What may be decoded: neither drawings and documents, which refer to other files, nor formats that only few programs write. */
const DECODERS = ['Jpeg', 'Png', 'Webp', 'Heif', 'Nsgif', 'Tiff'];

/** Sets the library up for a process that makes one picture at a time. To be called once. */
export function prepareLibrary(): void {
  sharp.concurrency(1);
  sharp.cache(false);
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: DECODERS.map((name) => `VipsForeignLoad${name}`) });
}

/** Makes the picture. @throws ImageFailure; nothing lies at the target then */
export async function makeImage(task: ImageTask, limits: ImageLimits): Promise<ImageResult> {
  try {
    return await make(task, limits);
  } catch (error) {
    await rm(task.target, { force: true });
    throw error instanceof ImageFailure ? error : failureOf(error);
  }
}

async function make({ source, target, transform }: ImageTask, limits: ImageLimits): Promise<ImageResult> {
  await assertThere(source);
  const image = sharp(source, { limitInputPixels: limits.inputPixels, failOn: 'error', sequentialRead: true });
  const metadata = await image.metadata();
  assertSize(metadata, limits);
  const upright = metadata.autoOrient;
  const pipeline = buildPipeline(image, transform, upright);
  const made = await pipeline.toFile(target);
  if (made.size > limits.outputBytes || made.width * made.height > limits.outputPixels) {
    throw new ImageFailure('too-large', 'The result is too large.');
  }
  return { size: made.size, width: made.width, height: made.height };
}

async function assertThere(source: string): Promise<void> {
  const { size } = await stat(source).catch(() => {
    throw new ImageFailure('source-missing', 'The original is not there.');
  });
  if (size === 0) throw new ImageFailure('unreadable', 'The file is empty.');
}

function assertSize({ width, height, isProgressive }: Metadata, limits: ImageLimits): void {
  const pixels = width * height;
  const most = isProgressive ? limits.interlacedPixels : limits.inputPixels;
  if (pixels <= most) return;
  const kind = isProgressive ? 'an interlaced or progressive picture' : 'a picture';
  throw new ImageFailure('too-large', `It has ${width} x ${height} pixels; ${kind} may have ${most}.`);
}

/** The library tells what happened in words alone. */
function failureOf(error: unknown): ImageFailure {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof ImpossibleStep) return new ImageFailure('impossible', text);
  if (/exceeds pixel limit|too large for the .* format|Processed image is too large/i.test(text))
    return new ImageFailure('too-large', 'It has more pixels than a picture may have.');
  if (/No space left|ENOSPC|EDQUOT/i.test(text))
    return new ImageFailure('disk-full', 'There is no room for the result.');
  if (/bad extract area|extract_area/i.test(text))
    return new ImageFailure('impossible', 'The area does not lie within the picture.');
  return new ImageFailure(
    'unreadable',
    text
      .split('\n')[0]
      ?.replace(/\/[^\s:]*\//g, '')
      .slice(0, 200) ?? '',
  );
}
