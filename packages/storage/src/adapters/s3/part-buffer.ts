import { Buffer } from 'node:buffer';
import { createHash, type Hash } from 'node:crypto';
import type { BufferPool } from './buffer-pool.ts';
import type { Content } from './client.ts';

const FIRST_SIZE = 16 * 1024;
/** From here on it grows to its whole size at once. */
const SMALL_SIZE = 1024 * 1024;

/** The part of an upload that is being filled: grows with what comes, up to the size of a part. Its MD5 is computed as it grows. */
export class PartBuffer {
  /** Which part of the content, from 0. */
  readonly index: number;
  readonly #limit: number;
  readonly #pool: BufferPool;
  #bytes: Buffer;
  #length = 0;
  #md5: Hash = createHash('md5');
  #users = 1;

  /** @param limit bytes of a full part */
  constructor(index: number, limit: number, pool: BufferPool) {
    this.index = index;
    this.#limit = limit;
    this.#pool = pool;
    this.#bytes = Buffer.allocUnsafe(Math.min(FIRST_SIZE, limit));
  }

  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.#length === this.#limit;
  }

  /** Copies what fits of `chunk` and returns how many bytes that were. */
  append(chunk: Uint8Array): number {
    const taken = Math.min(chunk.length, this.#limit - this.#length);
    const fitting = taken === chunk.length ? chunk : chunk.subarray(0, taken);
    this.#reserve(this.#length + taken);
    this.#bytes.set(fitting, this.#length);
    this.#md5.update(fitting);
    this.#length += taken;
    return taken;
  }

  truncate(length: number): void {
    this.#length = length;
    this.#md5 = createHash('md5').update(this.#bytes.subarray(0, length));
  }

  /** A view, good until the last user has released the part; what lies in it does not change while the part grows. */
  slice(start: number, end = this.#length): Buffer {
    return this.#bytes.subarray(start, Math.min(end, this.#length));
  }

  /** As {@link slice}, good for ever. */
  copy(start: number, end: number): Buffer {
    return Buffer.from(this.slice(start, end));
  }

  content(): Content {
    return { bytes: this.slice(0), md5: this.#md5.copy().digest('base64') };
  }

  /** Runs `work` on views of the part; its memory stays as it is until that has ended. */
  async use<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#users += 1;
    try {
      return await work();
    } finally {
      this.release();
    }
  }

  /** Whoever filled the part needs it no more. */
  release(): void {
    this.#users -= 1;
    if (this.#users === 0 && this.#bytes.length === this.#limit) this.#pool.give(this.#bytes);
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const small = Math.max(length, 4 * this.#bytes.length);
    const grown =
      small <= Math.min(SMALL_SIZE, this.#limit) ? Buffer.allocUnsafeSlow(small) : this.#pool.take(this.#limit);
    grown.set(this.slice(0));
    this.#bytes = grown;
  }
}

export function contentOf(bytes: Buffer): Content {
  return { bytes, md5: createHash('md5').update(bytes).digest('base64') };
}
