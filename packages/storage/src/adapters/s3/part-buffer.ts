import { Buffer } from 'node:buffer';
import { createHash, type Hash } from 'node:crypto';
import type { Content } from './client.ts';

const FIRST_SIZE = 64 * 1024;

/** The part of an upload that is being filled: grows with what comes, up to the size of a part. Its MD5 is computed as it grows. */
export class PartBuffer {
  /** Which part of the content, from 0. */
  readonly index: number;
  readonly #limit: number;
  #bytes: Buffer;
  #length = 0;
  #md5: Hash = createHash('md5');

  constructor(index: number, limit: number) {
    this.index = index;
    this.#limit = limit;
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(limit, FIRST_SIZE));
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

  /** A view; what lies in it does not change while the part grows. */
  slice(start: number, end = this.#length): Buffer {
    return this.#bytes.subarray(start, Math.min(end, this.#length));
  }

  content(): Content {
    return { bytes: this.slice(0), md5: this.#md5.copy().digest('base64') };
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.min(this.#limit, Math.max(length, 2 * this.#bytes.length)));
    grown.set(this.slice(0));
    this.#bytes = grown;
  }
}

export function contentOf(bytes: Buffer): Content {
  return { bytes, md5: createHash('md5').update(bytes).digest('base64') };
}
