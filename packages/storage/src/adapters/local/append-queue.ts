import { CarcosaError } from '@carcosa/kernel';
import { fdatasync, toStorageError, writeAll } from './file-system.ts';

/** Gathered before a write is begun: one system call for many chunks of a socket. */
const WRITE_SIZE = 1024 * 1024;
/** Gathered at most while a write is under way; beyond it the sender waits. */
const MAX_PENDING = 2 * WRITE_SIZE;

/**
 * Appends to a file descriptor in order, one write at a time, gathering what comes meanwhile. After any failure it refuses
 * everything: what is in the file is then unknown.
 */
export class AppendQueue {
  readonly #fd: number;
  readonly #onWritten: (position: number) => void;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Where the file ends as far as it is written. */
  #written: number;
  #writing: Promise<void> | null = null;
  #failure: CarcosaError | null = null;
  /** As far as the last sync reached; -1 before the first. */
  #synced = -1;

  constructor(fd: number, position: number, onWritten: (position: number) => void = () => {}) {
    this.#fd = fd;
    this.#written = position;
    this.#onWritten = onWritten;
  }

  /** Position after all that was appended. */
  get length(): number {
    return this.#written + this.#inFlight + this.#pendingBytes;
  }
  #inFlight = 0;

  append(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#failure) return Promise.reject(this.#failure);
    if (chunk.length === 0) return undefined;
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes < WRITE_SIZE) return undefined;
    this.#write();
    return this.#pendingBytes >= MAX_PENDING ? this.#room() : undefined;
  }

  /** Resolves when all that was appended before the call is in the file (perhaps only in the page cache). */
  async flush(): Promise<void> {
    const target = this.length;
    while (this.#written < target) {
      if (this.#failure) throw this.#failure;
      await this.#write();
    }
    if (this.#failure) throw this.#failure;
  }

  /** Puts all that was appended before the call on stable storage; returns the position up to which it is. */
  async sync(): Promise<number> {
    const target = this.length;
    await this.flush();
    if (target === this.#synced) return target;
    try {
      await fdatasync(this.#fd);
      this.#synced = target;
    } catch (error) {
      // The kernel may have dropped the dirty pages: a later fsync that succeeds would prove nothing.
      throw this.#fail(error);
    }
    return target;
  }

  /** Forgets what is appended beyond `position` of a queue that was flushed. */
  rewind(position: number): void {
    this.#written = position;
    this.#synced = -1;
  }

  /** Waits for a write that is under way, whatever its outcome, so that the descriptor can be closed. */
  async settle(): Promise<void> {
    this.#failure ??= new CarcosaError('internal_error', { message: 'This staged object is closed.' });
    await this.#writing?.catch(() => {});
  }

  async #room(): Promise<void> {
    while (this.#pendingBytes >= MAX_PENDING && this.#writing) await this.#writing;
    if (this.#failure) throw this.#failure;
  }

  #write(): Promise<void> {
    if (!this.#writing) {
      this.#writing = this.#writePending();
      // Whoever appends or syncs next is told; until then nobody may be waiting.
      this.#writing.catch(() => {});
    }
    return this.#writing;
  }

  async #writePending(): Promise<void> {
    const buffers = this.#pending;
    const bytes = this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#inFlight = bytes;
    try {
      await writeAll(this.#fd, buffers, this.#written);
      this.#written += bytes;
      this.#onWritten(this.#written);
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#inFlight = 0;
      this.#writing = null;
    }
    if (this.#pendingBytes >= WRITE_SIZE && !this.#failure) this.#write();
  }

  #fail(error: unknown): CarcosaError {
    this.#failure ??= toStorageError(error);
    return this.#failure;
  }
}
