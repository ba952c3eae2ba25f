import path from 'node:path';
import { CarcosaError } from '@carcosa/kernel';
import type { StagedObject, StagedRef } from '../../port.ts';
import { AppendQueue } from './append-queue.ts';
import type { ContentHash } from './content-hash.ts';
import { DirectFile } from './direct-file.ts';
import type { DiskWorkers } from './disk-workers.ts';
import {
  close,
  type DirectorySyncer,
  ftruncate,
  isErrno,
  open,
  read,
  rename,
  stat,
  toStorageError,
} from './file-system.ts';

export interface StagedFileOptions {
  /** Null: the file is made when the first byte has to be written. */
  fd: number | null;
  /** Where it is staged. */
  path: string;
  ref: StagedRef;
  length: number;
  /** Whether the directory entry is on stable storage already. */
  entryDurable: boolean;
  hash: ContentHash;
  workers: DiskWorkers;
  /** Whether files of former writers lie beside it. */
  wasTakenOver: boolean;
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
  #fd: Promise<number> | null;
  #entryDurable: boolean;
  /** The file that it became. */
  #committed: string | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: StagedFileOptions) {
    this.ref = options.ref;
    this.#options = options;
    this.#hash = options.hash;
    this.#entryDurable = options.entryDurable;
    this.#direct = new DirectFile(options.path);
    this.#fd = options.fd === null ? null : Promise.resolve(options.fd);
    const { hash, length: position } = options;
    const { slots } = options.workers;
    const file = () => this.#file();
    this.#queue = new AppendQueue({ file, direct: this.#direct, position, slots, hash, hashes: true });
  }

  get length(): number {
    return this.#queue.length;
  }

  get mayLeaveTraces(): boolean {
    return this.#options.wasTakenOver;
  }

  append(chunk: Uint8Array, owned?: boolean): Promise<void> | undefined {
    return this.#queue.append(chunk, owned);
  }

  async truncate(length: number): Promise<void> {
    await this.#queue.flush();
    if (length > this.length) throw new CarcosaError('internal_error', { message: 'truncate cannot lengthen.' });
    this.#hash.rewound(length);
    await ftruncate(await this.#file(), length).catch(rethrow);
    this.#queue.rewind(length);
  }

  async sync(options: { lazy?: boolean } = {}): Promise<number> {
    await this.#file();
    const [durable] = await Promise.all([this.#queue.sync(options), this.#syncEntry()]);
    return durable;
  }

  async sha256(): Promise<string> {
    const small = this.#hash.smallDigest(this.length);
    if (small !== null) return small;
    await this.#queue.flush();
    return this.#hash.digest(this.length);
  }

  async head(length: number): Promise<Uint8Array> {
    const unwritten = this.#queue.unwritten();
    if (unwritten) return firstBytes(unwritten, length);
    await this.#queue.flush();
    const buffer = Buffer.allocUnsafe(Math.min(length, this.length));
    const fd = await this.#file();
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await read(fd, buffer, filled, buffer.length - filled, filled).catch(rethrow);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }

  async commit(key: string): Promise<void> {
    const target = this.#options.resolve(key);
    if (this.#committed === target) return;
    const unwritten = this.#fd === null ? this.#queue.unwritten() : null;
    if (unwritten) {
      // Little and all at hand: one message to another thread instead of eight calls from this one.
      const content = firstBytes(unwritten, this.length);
      await this.#options.workers.store({ staged: this.#options.path, target, content, journal: null });
    } else {
      await this.#queue.sync();
      await moveInto(this.#options.path, target, this.#options.directories);
    }
    this.#committed = target;
    await this.#release(true);
  }

  close(): Promise<void> {
    return this.#release(false);
  }

  #file(): Promise<number> {
    if (this.#closing) throw new CarcosaError('internal_error', { message: 'This staged object is closed.' });
    this.#fd ??= open(this.#options.path, 'wx+', 0o640).catch(rethrow);
    return this.#fd;
  }

  async #syncEntry(): Promise<void> {
    if (this.#entryDurable) return;
    await this.#options.directories.sync(path.dirname(this.#options.path)).catch(rethrow);
    this.#entryDurable = true;
  }

  #release(committed: boolean): Promise<void> {
    this.#closing ??= (async () => {
      await this.#queue.settle();
      const fd = await this.#fd?.catch(() => null);
      await Promise.all([typeof fd === 'number' ? close(fd) : null, this.#direct.close()]);
      this.#options.onClose(committed);
    })();
    return this.#closing;
  }
}

/** The first bytes of `chunks`, at most `length`, in memory of their own. */
function firstBytes(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const bytes = new Uint8Array(Math.min(length, total));
  let filled = 0;
  for (const chunk of chunks) {
    if (filled === bytes.length) break;
    const taken = chunk.subarray(0, bytes.length - filled);
    bytes.set(taken, filled);
    filled += taken.length;
  }
  return bytes;
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
