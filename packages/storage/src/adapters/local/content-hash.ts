import { createHash, type Hash } from 'node:crypto';
import type { HashFollower, HashPool } from './hash-pool.ts';

/** Up to here hashing costs less than telling another thread of it. */
const INLINE_LIMIT = 512 * 1024;

/**
 * SHA-256 of a staged file as it grows: small contents at once in this thread, larger ones by a follower in the worker. If
 * what was hashed is taken back, or another process wrote the beginning, the follower starts again from the file.
 */
export class ContentHash {
  readonly #pool: HashPool;
  readonly #path: string;
  #inline: Hash | null;
  #inlineLength = 0;
  #follower: HashFollower | null = null;
  /** Bytes that the follower was told of. */
  #told = 0;

  /** @param fresh whether the file is empty, so that its first bytes will come through `appended` */
  constructor(pool: HashPool, path: string, fresh: boolean) {
    this.#pool = pool;
    this.#path = path;
    this.#inline = fresh ? createHash('sha256') : null;
  }

  /** `chunk` was appended at `position`; it need not be written yet. */
  appended(chunk: Uint8Array, position: number): void {
    if (!this.#inline) return;
    if (position !== this.#inlineLength || position + chunk.length > INLINE_LIMIT) {
      this.#inline = null;
      return;
    }
    this.#inline.update(chunk);
    this.#inlineLength += chunk.length;
  }

  /** The first `length` bytes are in the file. */
  written(length: number): void {
    if (this.#inline || length <= this.#told) return;
    this.#follower ??= this.#pool.follow(this.#path);
    this.#told = length;
    this.#follower.advance(length);
  }

  /** Bytes at and after `length` may change: forget them if they were hashed. */
  rewound(length: number): void {
    if (this.#inline && this.#inlineLength > length) this.#inline = null;
    if (this.#told > length) this.dispose();
  }

  /** SHA-256 in hex of the first `length` bytes, all of which are in the file. */
  async digest(length: number): Promise<string> {
    if (this.#inline && this.#inlineLength === length) return this.#inline.copy().digest('hex');
    this.#inline = null;
    const follower = this.#follower;
    this.#follower = null;
    this.#told = 0;
    // A follower may have died with its worker; what it knew is all in the file.
    return (follower?.finish(length) ?? Promise.reject()).catch(() => this.#pool.follow(this.#path).finish(length));
  }

  dispose(): void {
    this.#follower?.close();
    this.#follower = null;
    this.#told = 0;
  }
}
