import fs from 'node:fs';
import { promisify } from 'node:util';
import { CarcosaError } from '@carcosa/kernel';
import type { FilesCapability, OpenFile } from '../../port.ts';
import { close, isErrno, open, toStorageError } from './file-system.ts';

const fstat = promisify(fs.fstat);

/** Files that are kept open: each costs a descriptor, and keeps the space of a deleted file from being freed. */
const CAPACITY = 512;
/** Milliseconds after which a file that nobody reads is closed, at most twice as many. */
const IDLE_MS = 30_000;

export interface OpenFilesOptions {
  /** The absolute path of a key. */
  locate: (key: string) => string;
  capacity?: number;
  idleMs?: number;
}

interface Opening {
  /** Those who asked for the file before it was open. */
  waiting: number;
  file: Promise<SharedFile> | undefined;
}

/**
 * Opens files for reading and keeps them open for whoever comes next: opening one costs more than reading a small range of it.
 * Objects are never written again under the same key, so what is open is never stale.
 */
export class OpenFiles implements FilesCapability {
  readonly locate: (key: string) => string;
  readonly #capacity: number;
  readonly #idleMs: number;
  /** In the order of use: the first is the one that was not asked for longest. */
  readonly #files = new Map<string, SharedFile>();
  readonly #opening = new Map<string, Opening>();
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: OpenFilesOptions) {
    this.locate = options.locate;
    this.#capacity = options.capacity ?? CAPACITY;
    this.#idleMs = options.idleMs ?? IDLE_MS;
  }

  /** How many files are kept open, in use or not. */
  get size(): number {
    return this.#files.size;
  }

  open(key: string): OpenFile | Promise<OpenFile> {
    const file = this.#files.get(key);
    if (!file) return this.#opened(key);
    this.#files.delete(key);
    this.#files.set(key, file);
    return file.acquire();
  }

  /** The object was deleted: its file is closed as soon as nobody reads it. */
  forget(key: string): void {
    this.#opening.delete(key);
    this.#drop(key);
  }

  /** Closes what nobody reads now, and the rest when it is released. */
  close(): void {
    this.#opening.clear();
    for (const key of this.#files.keys()) this.#drop(key);
  }

  #opened(key: string): Promise<OpenFile> {
    let opening = this.#opening.get(key);
    if (!opening) {
      opening = { waiting: 0, file: undefined };
      this.#opening.set(key, opening);
      opening.file = this.#share(key, opening);
    }
    opening.waiting++;
    return opening.file as Promise<OpenFile>;
  }

  /** Opens the file for all who wait for it: it is theirs before anything could close it. */
  async #share(key: string, opening: Opening): Promise<SharedFile> {
    try {
      const { fd, size } = await openObject(this.locate(key), () => this.#closeIdle(() => true));
      const file = new SharedFile({ fd, size, readers: opening.waiting });
      // Forgotten meanwhile: whoever waits may still read it, but nobody after them.
      if (this.#opening.get(key) === opening) this.#keep(key, file);
      else file.closeWhenUnused();
      return file;
    } finally {
      if (this.#opening.get(key) === opening) this.#opening.delete(key);
    }
  }

  #keep(key: string, file: SharedFile): void {
    this.#files.set(key, file);
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#idleMs).unref();
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= this.#capacity) break;
      this.#drop(oldest);
    }
  }

  #sweep(): void {
    this.#closeIdle((file) => !file.wasUsed());
  }

  #closeIdle(condition: (file: SharedFile) => boolean): void {
    for (const [key, file] of this.#files) if (file.isIdle && condition(file)) this.#drop(key);
  }

  #drop(key: string): void {
    this.#files.get(key)?.closeWhenUnused();
    this.#files.delete(key);
    if (this.#files.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

/** @param makeRoom called when there are no descriptors left */
async function openObject(path: string, makeRoom: () => void): Promise<{ fd: number; size: number }> {
  // A link in the place of an object is none of ours: it may lead anywhere.
  const flags = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW;
  const fd = await open(path, flags)
    .catch((error) => {
      if (!isErrno(error, 'EMFILE', 'ENFILE')) throw error;
      makeRoom();
      return open(path, flags);
    })
    .catch((error) => {
      throw toStorageError(error);
    });
  try {
    const stats = await fstat(fd);
    if (!stats.isFile()) throw new CarcosaError('not_found');
    return { fd, size: stats.size };
  } catch (error) {
    await close(fd);
    throw toStorageError(error);
  }
}

class SharedFile implements OpenFile {
  readonly fd: number;
  readonly size: number;
  #readers: number;
  #used = true;
  #unwanted = false;

  constructor({ fd, size, readers }: { fd: number; size: number; readers: number }) {
    this.fd = fd;
    this.size = size;
    this.#readers = readers;
  }

  get isIdle(): boolean {
    return this.#readers === 0;
  }

  /** Whether anybody acquired it since the last time that this was asked. */
  wasUsed(): boolean {
    const used = this.#used;
    this.#used = false;
    return used;
  }

  acquire(): this {
    this.#readers++;
    this.#used = true;
    return this;
  }

  release(): void {
    this.#readers--;
    if (this.#unwanted && this.#readers === 0) this.#close();
  }

  closeWhenUnused(): void {
    if (this.#unwanted) return;
    this.#unwanted = true;
    if (this.#readers === 0) this.#close();
  }

  #close(): void {
    // Of a file that was only read there is nothing that closing could lose.
    fs.close(this.fd, () => {});
  }
}
