import { open, readFile } from 'node:fs/promises';
import type { ImageSteps } from '@carcosa/contracts';
import sharp, { type Raw } from 'sharp';
import type { OpenedSource } from './open-source.ts';

/** A file begins with this, then width, height and channels; the pixels follow, eight bits a channel, row by row. */
const MAGIC = 0x43524157;
const HEAD_BYTES = 16;
/** How much smaller than a copy a result is at least: closer to it, a copy of a copy would look softer. */
const MOST_SCALE = 0.76;

/** Writes a copy into a new file. @returns its bytes */
export async function writeReduced(path: string, data: Buffer, { width, height, channels }: Raw): Promise<number> {
  const head = Buffer.alloc(HEAD_BYTES);
  for (const [at, value] of [MAGIC, width, height, channels].entries()) head.writeUInt32BE(value, at * 4);
  const handle = await open(path, 'wx');
  try {
    await handle.writeFile(head);
    await handle.writeFile(data);
  } finally {
    await handle.close();
  }
  return head.length + data.length;
}

/** The copy as a source; null where it is gone, or not large enough for these steps. */
export async function openReduced(path: string, steps: ImageSteps): Promise<OpenedSource | null> {
  const bytes = await readFile(path).catch(() => null);
  if (!bytes || bytes.length < HEAD_BYTES || bytes.readUInt32BE(0) !== MAGIC) return null;
  const [width, height] = [bytes.readUInt32BE(4), bytes.readUInt32BE(8)];
  const channels = bytes.readUInt32BE(12) as Raw['channels'];
  if (bytes.length !== HEAD_BYTES + width * height * channels) return null;
  const scale = Math.max((steps.width ?? 0) / width, (steps.height ?? 0) / height);
  if (scale === 0 || scale > MOST_SCALE) return null;
  const image = sharp(bytes.subarray(HEAD_BYTES), { raw: { width, height, channels } });
  return { image, width, height, frames: 1 };
}
