import path from 'node:path';
import { CarcosaError } from '@carcosa/kernel';
import type { StagedObject, StagedRef } from '../../port.ts';
import { AppendQueue } from './append-queue.ts';
import type { ContentHash } from './content-hash.ts';
import { DirectFile } from './direct-file.ts';
import { close, type DirectorySyncer, ftruncate, isErrno, read, rename, stat, toStorageError } from './file-system.ts';
import type { SlotPool } from './slot-pool.ts';

export interface StagedFileOptions {
  fd: number;
  /** Where it is staged. */
  path: string;
  ref: StagedRef;
  length: number;
  /** Whether the directory entry is on stable storage already. */
  entryDurable: boolean;
  hash: ContentHash;
  slots: SlotPool;
  directories: DirectorySyncer;
  /** Where an object of that key lies. */
  resolve(key: string): string;
  /** Called once when it is released: the hash may be kept for who resumes. */
  onClose(committed: boolean): void;
}

/** One upload's bytes in the staging directory, until a rename makes them an object. */
export class StagedFile implements StagedObject {
  readonly ref: StagedRef;
  readonly #options: StagedFileOptions;
  readonly #queue: AppendQueue;
  readonly #hash: ContentHash;
  readonly #direct: DirectFile;
  #entryDurable: boolean;
  #closing: Promise<void> | null = null;

  constructor(options: StagedFileOptions) {
    this.ref = options.ref;
    this.#options = options;
    this.#hash = options.hash;
    this.#entryDurable = options.entryDurable;
    this.#direct = new DirectFile(options.path);
    const { fd, slots, hash, length: position } = options;
    this.#queue = new AppendQueue({ fd, direct: this.#direct, position, slots, hash, hashes: true });
  }

  get length(): number {
    return this.#queue.length;
  }

  append(chunk: Uint8Array, owned?: boolean): Promise<void> | undefined {
    return this.#queue.append(chunk, owned);
  }

  async truncate(length: number): Promise<void> {
    await this.#queue.flush();
    if (length > this.length) throw new CarcosaError('internal_error', { message: 'truncate cannot lengthen.' });
    this.#hash.rewound(length);
    await ftruncate(this.#options.fd, length).catch(rethrow);
    this.#queue.rewind(length);
  }

  async sync(options: { lazy?: boolean } = {}): Promise<number> {
    const [durable] = await Promise.all([this.#queue.sync(options), this.#syncEntry()]);
    return durable;
  }

  async sha256(): Promise<string> {
    await this.#queue.flush();
    return this.#hash.digest(this.length);
  }

  async head(length: number): Promise<Uint8Array> {
    await this.#queue.flush();
    const buffer = Buffer.allocUnsafe(Math.min(length, this.length));
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await read(this.#options.fd, buffer, filled, buffer.length - filled, filled).catch(rethrow);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }

  async commit(key: string): Promise<void> {
    const target = this.#options.resolve(key);
    await this.#queue.sync();
    await moveInto(this.#options.path, target, this.#options.directories);
    await this.#release(true);
  }

  close(): Promise<void> {
    return this.#release(false);
  }

  async #syncEntry(): Promise<void> {
    if (this.#entryDurable) return;
    await this.#options.directories.sync(path.dirname(this.#options.path)).catch(rethrow);
    this.#entryDurable = true;
  }

  #release(committed: boolean): Promise<void> {
    this.#closing ??= (async () => {
      await this.#queue.settle();
      await Promise.all([close(this.#options.fd), this.#direct.close()]);
      this.#options.onClose(committed);
    })();
    return this.#closing;
  }
}

/** Renames durably, making the folders that are missing. Right also when it was done before, up to any point. */
export async function moveInto(from: string, to: string, directories: DirectorySyncer): Promise<void> {
  const folder = path.dirname(to);
  try {
    await rename(from, to).catch(async (error) => {
      if (!isErrno(error, 'ENOENT')) throw error;
      // Either the folder is missing, or an earlier attempt has moved the file already.
      if (await exists(to)) return;
      await directories.ensure(folder);
      await rename(from, to);
    });
    await Promise.all([directories.sync(folder), directories.settled(folder)]);
  } catch (error) {
    throw toStorageError(error);
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error) => {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    },
  );
}

function rethrow(error: unknown): never {
  throw toStorageError(error);
}
