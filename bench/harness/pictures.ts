import { linkSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { peakResidentBytes, processTree, proportionalBytes } from './processes.ts';

/** Something with shapes and grain: 12 megapixels, about 4 MB. */
export async function makePhoto(path: string): Promise<void> {
  const noise = { type: 'gaussian' as const, mean: 128, sigma: 40 };
  const small = await sharp({ create: { width: 1000, height: 750, channels: 3, noise, background: '#888888' } })
    .blur(2)
    .png()
    .toBuffer();
  const grain = await sharp({
    create: { width: 4000, height: 3000, channels: 3, noise: { ...noise, sigma: 8 }, background: '#888888' },
  })
    .png({ compressionLevel: 0 })
    .toBuffer();
  await sharp(small)
    .resize(4000, 3000)
    .composite([{ input: grain, blend: 'soft-light' }])
    .jpeg({ quality: 96 })
    .toFile(path);
}

/** A picture of half a megabyte that takes more than a gigabyte to decode. */
export function makeBomb(): Promise<Buffer> {
  return sharp({ create: { width: 16_383, height: 16_383, channels: 3, background: '#123456' } })
    .png({ progressive: true, compressionLevel: 9 })
    .toBuffer();
}

/** The same picture under many names, for peers that read a directory. */
export function linkCopies(source: string, root: string, count: number): void {
  for (let copy = 0; copy < count; copy++) linkSync(source, join(root, `${copy}.jpg`));
}

/** Peak signal-to-noise ratio in dB of an encoded picture, beside the original shrunk to its size and not encoded at all. */
export async function likeness(encoded: Buffer, original: string): Promise<number> {
  const made = await sharp(encoded).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const ideal = await sharp(original).resize(made.info.width).removeAlpha().raw().toBuffer();
  let squares = 0;
  for (let at = 0; at < ideal.length; at++) squares += ((made.data[at] as number) - (ideal[at] as number)) ** 2;
  return 10 * Math.log10(255 ** 2 / (squares / ideal.length));
}

/** The processes of a server that make pictures, its own process first. */
export function pictureProcesses(server: number): number[] {
  const isWorker = (pid: number): boolean => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('image-worker');
    } catch {
      return false;
    }
  };
  return [server, ...processTree(server).filter(isWorker)];
}

/** Peak resident sizes in MB, one for each process. */
export const peaksOf = (pids: readonly number[]): number[] => pids.map((pid) => peakResidentBytes(pid) / 1e6);

/** Highest sum of proportional sizes in MB of what `list` names while `work` goes on, sampled ten times a second. */
export async function peakWhile(list: () => number[], work: () => Promise<unknown>): Promise<number> {
  let highest = 0;
  const sample = (): void => {
    highest = Math.max(highest, proportionalBytes(list()) / 1e6);
  };
  const timer = setInterval(sample, 100);
  try {
    await work();
  } finally {
    clearInterval(timer);
    sample();
  }
  return highest;
}
