/** The source of unpredictable bytes. Injected, so that tests can fix it. */
export interface Random {
  /** `length` bytes from a cryptographic generator. */
  bytes(length: number): Uint8Array;
}

/** Bytes that are fetched at once: asking the system for the few of an id takes longer than all the rest of making it. */
const STOCK = 4096;

class SystemRandom implements Random {
  readonly #stock = new Uint8Array(STOCK);
  #used = STOCK;

  bytes(length: number): Uint8Array {
    if (length > STOCK) return globalThis.crypto.getRandomValues(new Uint8Array(length));
    if (this.#used + length > STOCK) {
      globalThis.crypto.getRandomValues(this.#stock);
      this.#used = 0;
    }
    const bytes = this.#stock.slice(this.#used, this.#used + length);
    // What is given out is nowhere else.
    this.#stock.fill(0, this.#used, this.#used + length);
    this.#used += length;
    return bytes;
  }
}

export const systemRandom: Random = new SystemRandom();

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** `length` characters of [0-9A-Za-z], each uniformly distributed (5.95 bits a character). */
export function randomToken(random: Random, length: number): string {
  let token = '';
  while (token.length < length) {
    for (const byte of random.bytes(length)) {
      // 248 is the largest multiple of 62 that fits a byte: above it the remainder would favour the first letters.
      if (byte < 248 && token.length < length) token += BASE62[byte % 62];
    }
  }
  return token;
}
