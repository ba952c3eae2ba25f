import { createHash, randomBytes as secureBytes } from 'node:crypto';

/** Repeatable randomness: the seed is printed with a failure and can be given again by `CARCOSA_TEST_SEED`. */
export interface SeededRandom {
  readonly seed: number;
  /** At least `min`, less than `max`. */
  integer(min: number, max: number): number;
  pick<T>(items: readonly T[]): T;
  shuffle<T>(items: readonly T[]): T[];
  bytes(length: number): Buffer;
}

export function seededRandom(
  seed = Number(process.env.CARCOSA_TEST_SEED ?? secureBytes(4).readUInt32LE(0)),
): SeededRandom {
  let state = seed >>> 0;
  // mulberry32: small, and good enough to choose moments and sizes.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const integer = (min: number, max: number): number => min + Math.floor(next() * (max - min));
  return {
    seed,
    integer,
    pick: (items) => items[integer(0, items.length)] as (typeof items)[number],
    shuffle: (items) => {
      const out = [...items];
      for (let i = out.length - 1; i > 0; i -= 1) {
        const j = integer(0, i + 1);
        [out[i], out[j]] = [out[j] as (typeof out)[number], out[i] as (typeof out)[number]];
      }
      return out;
    },
    bytes: (length) => patternBytes(`${seed}/${integer(0, 2 ** 31)}`, length),
  };
}

const BLOCK = 64 * 1024;

/** Bytes that look random, differ everywhere, and follow from `label` alone; 0 to 2 GiB. */
export function patternBytes(label: string, length: number): Buffer {
  const out = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at += BLOCK) patternBlock(label, at / BLOCK).copy(out, at);
  return out;
}

/** Yields what {@link patternBytes} gives, block by block: for contents that should not be held in memory. */
export function* patternBlocks(label: string, length: number): Generator<Buffer> {
  for (let at = 0; at < length; at += BLOCK)
    yield patternBlock(label, at / BLOCK).subarray(0, Math.min(BLOCK, length - at));
}

function patternBlock(label: string, index: number): Buffer {
  // One digest, repeated with its position mixed in: fast, and no two 32-byte lines of a block are equal.
  const seed = createHash('sha256').update(`${label}#${index}`).digest();
  const block = Buffer.allocUnsafe(BLOCK);
  for (let at = 0; at < BLOCK; at += 32) {
    seed.copy(block, at);
    block.writeUInt32LE((seed.readUInt32LE(0) + Math.imul(at + 1, 2_654_435_761)) >>> 0, at);
  }
  return block;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Any few bytes that have not been seen before: for contents and names that must not meet those of another test. */
export const unique = (prefix = 'x'): string => `${prefix}-${secureBytes(6).toString('hex')}`;
