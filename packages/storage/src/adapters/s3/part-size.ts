import { CarcosaError } from '@carcosa/kernel';

const MIB = 1024 * 1024;

/** A provider takes at most so many parts, numbered from 1. */
export const MAX_PARTS = 10_000;

/**
 * The size of all parts but the last, in bytes: one size for a whole upload, because some providers (R2) want that. Of a known
 * size at least `smallest` and large enough for 10,000 parts; of an unknown one twice the smallest (16 MiB: 160 GB at most).
 */
export function choosePartSize(size: number | null, smallest: number): number {
  if (size === null) return 2 * smallest;
  const needed = Math.ceil(size / MAX_PARTS);
  return needed <= smallest ? smallest : Math.ceil(needed / MIB) * MIB;
}

/** Parts of one upload on their way at a time, so that it holds three in memory at most; two where they are large. */
export function partsInFlight(partSize: number): number {
  return partSize <= 16 * MIB ? 2 : 1;
}

/** @throws CarcosaError `payload_too_large` */
export function assertPartNumber(number: number): void {
  if (number <= MAX_PARTS) return;
  throw new CarcosaError('payload_too_large', {
    message:
      'The upload has more parts than the bucket takes; declare its length at the start, so that larger ones are chosen.',
  });
}
