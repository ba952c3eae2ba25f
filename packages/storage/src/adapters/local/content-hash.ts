import { createHash, type Hash } from 'node:crypto';
import type { DiskWorkers, HashStream } from './disk-workers.ts';
import type { Slot } from './slot-pool.ts';

/** Up to here hashing costs less than telling another thread of it. */
export const INLINE_LIMIT = 256 * 1024;
/** A beginning of the file that is read back so fast that memory may wait for it. */
const QUICK_READ = 4 * 1024 * 1024;

/**
 * SHA-256 of a staged file as it grows. Small contents are hashed at once in this thread. Larger ones go to a worker, from
 * memory as long as every byte comes by in order (`isLive`), else from the file. If what was hashed is taken back, or another
 * process wrote the beginning, the hash starts again from the file.
 */
export class ContentHash {
  readonly #workers: DiskWorkers;
  readonly #path: string;
  #inline: Hash | null;
  #stream: HashStream | null = null;
  /** Bytes that the inline hash has, or that the worker was told of. */
  #position = 0;
  /** Whether the worker has long parts of the file to read first. */
  #behind = false;

  /** @param fresh whether the file is empty, so that its first bytes will come by here */
  constructor(workers: DiskWorkers, path: string, fresh: boolean) {
    this.#workers = workers;
    this.#path = path;
    this.#inline = fresh ? createHash('sha256') : null;
  }

  /** Hashes `chunk` here and now if the content is still small. */
  small(chunk: Uint8Array, position: number): void {
    if (!this.#inline) return;
    if (position !== this.#position || position + chunk.length > INLINE_LIMIT) {
      this.#leaveInline();
      return;
    }
    this.#inline.update(chunk);
    this.#position += chunk.length;
  }

  /** Whether the bytes at `position` can be hashed from memory. `written`: how far the file is. */
  isLive(position: number, written: number): boolean {
    if (this.#inline) this.#leaveInline();
    if (this.#behind) return false;
    const missing = position - this.#position;
    if (missing > 0 && missing <= QUICK_READ && written >= position) this.#read(position);
    return this.#position === position;
  }

  /** Hashes a slot of a live content; the hash keeps it until that is done. */
  live(slot: Slot): void {
    this.#stream ??= this.#workers.open(this.#path);
    this.#stream.slot(slot);
    this.#position += slot.length;
  }

  /** The first `length` bytes are written. */
  written(length: number): void {
    if (this.#inline || length <= this.#position) return;
    if (length - this.#position > QUICK_READ) this.#behind = true;
    this.#read(length);
  }

  /** Bytes at and after `length` may change: forget them if they were hashed. */
  rewound(length: number): void {
    if (this.#position <= length) return;
    this.#inline = null;
    this.dispose();
  }

  /** SHA-256 in hex of the first `length` bytes, if they are few and all came by here; else null. */
  smallDigest(length: number): string | null {
    return this.#inline && this.#position === length ? this.#inline.copy().digest('hex') : null;
  }

  /** SHA-256 in hex of the first `length` bytes, all of which are in the file. */
  async digest(length: number): Promise<string> {
    if (this.#inline) this.#leaveInline();
    this.#read(length);
    const stream = this.#stream;
    this.#stream = null;
    this.#position = 0;
    // A stream may have died with its worker; all that it knew is in the file.
    return (stream ?? this.#begin(length)).finish().catch(() => this.#begin(length).finish());
  }

  dispose(): void {
    this.#stream?.close();
    this.#stream = null;
    this.#position = 0;
    this.#behind = true;
  }

  #leaveInline(): void {
    this.#inline = null;
    this.#position = 0;
  }

  #read(position: number): void {
    if (position <= this.#position) return;
    this.#stream ??= this.#workers.open(this.#path);
    this.#stream.file(position);
    this.#position = position;
  }

  #begin(length: number): HashStream {
    const stream = this.#workers.open(this.#path);
    stream.file(length);
    return stream;
  }
}
