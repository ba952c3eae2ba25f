/** Bytes of a buffer for one small answer, and for a piece of a large one. */
export const SMALL_BUFFER = 64 * 1024;
export const LARGE_BUFFER = 1024 * 1024;

/** Large buffers that may be out at the same time; whoever comes later gets small ones, so that slow readers cost little. */
const MAX_LARGE = 16;
/** Buffers kept for the next, of each size. */
const KEPT_SMALL = 64;
const KEPT_LARGE = 4;

/**
 * Buffers that are used again: making one for every answer costs as much as reading the file into it. A small one that is never
 * given back, because its connection broke, is left to the garbage collector; a large one has to be given back.
 */
export class BufferPool {
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];
  #largeOut = 0;

  /** A buffer of one of the two sizes: large if that much is `wanted` (bytes) and there are not too many out. */
  take(wanted: number): Buffer {
    if (wanted <= SMALL_BUFFER || this.#largeOut >= MAX_LARGE)
      return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BUFFER);
    this.#largeOut++;
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE_BUFFER);
  }

  /** Gives back, once, what nobody reads or writes any more. */
  give(buffer: Buffer): void {
    if (buffer.length === SMALL_BUFFER) {
      if (this.#small.length < KEPT_SMALL) this.#small.push(buffer);
      return;
    }
    this.#largeOut--;
    if (this.#large.length < KEPT_LARGE) this.#large.push(buffer);
  }
}
