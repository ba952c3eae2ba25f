/** The source of unpredictable bytes. Injected, so that tests can fix it. */
export interface Random {
  /** `length` bytes from a cryptographic generator. */
  bytes(length: number): Uint8Array;
}

export const systemRandom: Random = {
  bytes: (length) => globalThis.crypto.getRandomValues(new Uint8Array(length)),
};

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
