const SIDE = 32;
const KEPT = 8;
/** cos((2x + 1) u π / 2N) for all x and u that are needed. */
const COSINES = Array.from({ length: KEPT }, (_, u) =>
  Array.from({ length: SIDE }, (_, x) => Math.cos(((2 * x + 1) * u * Math.PI) / (2 * SIDE))),
);

/** Width and height of the grey picture that {@link perceptualHash} wants. */
export const HASH_SIDE = SIDE;

/**
 * The 64 lowest frequencies of a picture's brightness, each above or below their median (the "pHash" of Zauner, 2010): pictures that look
 * alike differ in few bits, whatever their size, format and quality.
 * @param grey one byte a pixel, {@link HASH_SIDE} squared
 * @returns 16 hexadecimal digits
 */
export function perceptualHash(grey: Uint8Array): string {
  const frequencies = lowFrequencies(grey);
  // The first is the mean brightness, which says nothing of the picture.
  const sorted = frequencies.slice(1).sort((one, other) => one - other);
  const median = sorted[sorted.length >> 1] as number;
  let bits = 0n;
  for (const value of frequencies) bits = (bits << 1n) | (value > median ? 1n : 0n);
  return bits.toString(16).padStart(16, '0');
}

function lowFrequencies(grey: Uint8Array): number[] {
  const rows = Array.from({ length: SIDE }, (_, y) =>
    COSINES.map((cosines) => cosines.reduce((sum, cosine, x) => sum + cosine * (grey[y * SIDE + x] as number), 0)),
  );
  return COSINES.flatMap((cosines) =>
    COSINES.map((_, u) => cosines.reduce((sum, cosine, y) => sum + cosine * ((rows[y] as number[])[u] as number), 0)),
  );
}

/** In how many of their 64 bits two hashes differ. */
export function hashDistance(one: string, other: string): number {
  let differing = BigInt(`0x${one}`) ^ BigInt(`0x${other}`);
  let count = 0;
  for (; differing > 0n; differing &= differing - 1n) count += 1;
  return count;
}
