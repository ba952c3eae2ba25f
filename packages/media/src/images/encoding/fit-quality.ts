import { DEFAULT_QUALITY } from '@carcosa/contracts';
import sharp, { type Sharp } from 'sharp';
import { ImageFailure } from '../failure.ts';
import type { OpenedSource } from '../source/open-source.ts';
import { type Encoding, encode } from './encode.ts';
import { type Pixels, similarity } from './similarity.ts';

/** Below it pictures fall to pieces: rather none, and a smaller size. */
const LOWEST = 10;
/** Structural similarity from which people see no difference side by side. */
const SAME = 0.985;
/** Where the search for the lowest quality that looks the same begins and ends. */
const RANGE = { avif: [30, 75], others: [45, 92] } as const;

export interface Wanted extends Omit<Encoding, 'quality'> {
  readonly quality: number | 'auto' | undefined;
  readonly maxBytes: number | undefined;
}

/** Encodes again and again, for at most {@link RANGE} halved six times. @throws ImageFailure where no quality is low enough */
export async function fitQuality(image: Sharp, wanted: Wanted, source: OpenedSource): Promise<Buffer> {
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const page = source.frames > 1 ? { pageHeight: height / source.frames } : {};
  const at = (quality: number | undefined): Promise<Buffer> =>
    encode(sharp(data, { raw: { width, height, channels, ...page } }), { ...wanted, quality }, source).toBuffer();
  const isLossless = DEFAULT_QUALITY[wanted.format] === null;
  const best = await at(isLossless || wanted.quality === 'auto' ? undefined : wanted.quality);
  if (wanted.maxBytes !== undefined) return await within(wanted.maxBytes, best, isLossless ? null : at, wanted);
  if (isLossless) return best;
  return await lookingTheSame({ data, width, height, channels }, at, wanted);
}

async function within(
  maxBytes: number,
  best: Buffer,
  at: ((quality: number) => Promise<Buffer>) | null,
  { format, quality }: Wanted,
): Promise<Buffer> {
  if (best.length <= maxBytes) return best;
  const tooMany = (bytes: number): ImageFailure =>
    new ImageFailure(
      'impossible',
      `As ${format} it has at least ${bytes} bytes; ask for a smaller size or another format.`,
    );
  if (!at) throw tooMany(best.length);
  let [low, high] = [LOWEST, Number(quality ?? DEFAULT_QUALITY[format]) - 1];
  if (high < low) throw tooMany(best.length);
  let found = await at(low);
  if (found.length > maxBytes) throw tooMany(found.length);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const made = await at(middle);
    if (made.length <= maxBytes) [low, found] = [middle, made];
    else high = middle - 1;
  }
  return found;
}

async function lookingTheSame(
  original: Pixels,
  at: (quality: number) => Promise<Buffer>,
  { format }: Wanted,
): Promise<Buffer> {
  const range = format === 'avif' ? RANGE.avif : RANGE.others;
  let [low, high]: [number, number] = [range[0], range[1]];
  let found: Buffer | undefined;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const made = await at(middle);
    if (similarity(original, await pixelsOf(made, original)) >= SAME) [high, found] = [middle, made];
    else low = middle + 1;
  }
  return found && high === low ? found : await at(high);
}

async function pixelsOf(bytes: Buffer, { channels }: Pixels): Promise<Pixels> {
  const image = sharp(bytes, { pages: -1 });
  const alike = channels === 4 || channels === 2 ? image.ensureAlpha() : image.removeAlpha();
  const { data, info } = await alike.raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: info.channels };
}
