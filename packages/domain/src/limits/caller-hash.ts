import type { Random } from '@carcosa/kernel';

/**
 * Names callers by 64 bits instead of their text. Seeded by chance, so that nobody can choose a name that falls together with another
 * one's; by chance it happens to one of a million callers once in 37 million runs, and then two share a counter.
 */
export class CallerHash {
  /** The two halves of the last hash: an object for each would cost more than the rest. */
  a = 0;
  b = 0;
  readonly #seedA: number;
  readonly #seedB: number;

  constructor(random: Random) {
    const seeds = new Int32Array(new Uint8Array(random.bytes(8)).buffer);
    this.#seedA = seeds[0] ?? 0;
    this.#seedB = seeds[1] ?? 0;
  }

  /** Sets `a` and `b` for `text` in the space of number `space`. The mixing is that of cyrb53. */
  compute(space: number, text: string): void {
    let a = this.#seedA ^ Math.imul(space + 1, 0x9e3779b1);
    let b = this.#seedB ^ space;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      a = Math.imul(a ^ code, 2654435761);
      b = Math.imul(b ^ code, 1597334677);
      a ^= b >>> 15;
    }
    a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
    b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
    this.a = a | 0;
    this.b = b | 0;
  }
}
