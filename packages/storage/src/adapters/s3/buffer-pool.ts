import { Buffer } from 'node:buffer';

/** Large buffers of one size or another, used again: the garbage collector lets tens of them pile up before it looks. */
export class BufferPool {
  readonly #limit: number;
  readonly #free: Buffer[] = [];

  /** @param limit how many buffers are kept while nobody uses them */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A buffer of exactly `size` bytes, with anything in it. */
  take(size: number): Buffer {
    const index = this.#free.findIndex((buffer) => buffer.length === size);
    const [kept] = index < 0 ? [] : this.#free.splice(index, 1);
    return kept ?? Buffer.allocUnsafeSlow(size);
  }

  /** Takes back a buffer that nobody reads any more. */
  give(buffer: Buffer): void {
    if (this.#free.length === this.#limit) this.#free.shift();
    this.#free.push(buffer);
  }
}
