import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { CarcosaError } from '@carcosa/kernel';

// The callback functions on plain descriptors: fs.promises' FileHandle costs several objects a call, on every chunk.
export const open = promisify(fs.open);
export const close = promisify(fs.close);
export const read = promisify(fs.read);
export const fdatasync = promisify(fs.fdatasync);
export const ftruncate = promisify(fs.ftruncate);
export const rename = promisify(fs.rename);
export const stat = promisify(fs.stat);
export const unlink = promisify(fs.unlink);
const fsync = promisify(fs.fsync);
const mkdir = promisify(fs.mkdir);
const writev = promisify(fs.writev);

export function isErrno(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | null)?.code ?? '');
}

/** What the file system said, as one of our errors. */
export function toStorageError(error: unknown): CarcosaError {
  if (error instanceof CarcosaError) return error;
  const code = (error as NodeJS.ErrnoException | null)?.code;
  switch (code) {
    case 'ENOENT':
      return new CarcosaError('not_found', { cause: error });
    case 'EEXIST':
      return new CarcosaError('conflict', { cause: error });
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new CarcosaError('storage_full', { cause: error });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new CarcosaError('storage_misconfigured', {
        message: `The local bucket may not be written (${code}): give the server's user the right to its directory.`,
        cause: error,
      });
    default:
      return new CarcosaError('storage_unavailable', { cause: error });
  }
}

/** Writes all of `buffers` at `position`, however many calls the system takes for it. */
export async function writeAll(fd: number, buffers: Uint8Array[], position: number): Promise<void> {
  let rest = buffers;
  let at = position;
  while (rest.length > 0) {
    let { bytesWritten } = await writev(fd, rest, at);
    if (bytesWritten === 0) throw new CarcosaError('storage_full');
    at += bytesWritten;
    const next: Uint8Array[] = [];
    for (const buffer of rest) {
      if (bytesWritten >= buffer.length) bytesWritten -= buffer.length;
      else {
        next.push(bytesWritten > 0 ? buffer.subarray(bytesWritten) : buffer);
        bytesWritten = 0;
      }
    }
    rest = next;
  }
}

/** Puts entries of directories on stable storage; callers that come while a sync runs share the next one. */
export class DirectorySyncer {
  readonly #making = new Set<{ directory: string; done: Promise<void> }>();
  readonly #running = new Map<string, { current: Promise<void>; next: Promise<void> | null }>();

  sync(directory: string): Promise<void> {
    const group = this.#running.get(directory);
    if (!group) {
      const current = syncDirectory(directory);
      this.#track(directory, current);
      return current;
    }
    // The one that runs may have begun before the caller's change: only the next is sure to hold it.
    group.next ??= group.current.then(
      () => syncDirectory(directory),
      () => syncDirectory(directory),
    );
    return group.next;
  }

  #track(directory: string, current: Promise<void>): void {
    const group = { current, next: null as Promise<void> | null };
    this.#running.set(directory, group);
    const ended = () => {
      if (group.next) this.#track(directory, group.next);
      else this.#running.delete(directory);
    };
    current.then(ended, ended);
  }

  /** Makes `directory` and what is missing above it, durably. */
  async ensure(directory: string): Promise<void> {
    const entry = { directory, done: this.#make(directory) };
    this.#making.add(entry);
    try {
      await entry.done;
      await this.settled(directory);
    } finally {
      this.#making.delete(entry);
    }
  }

  /** Waits until no folder at or above `directory` is still on its way to stable storage. */
  async settled(directory: string): Promise<void> {
    for (const { directory: made, done } of this.#making) {
      if (directory === made || directory.startsWith(made + path.sep) || made.startsWith(directory + path.sep))
        await done;
    }
  }

  async #make(directory: string): Promise<void> {
    const first = await mkdir(directory, { recursive: true, mode: 0o750 });
    if (first === undefined) return;
    for (let made = directory; ; made = path.dirname(made)) {
      await this.sync(path.dirname(made));
      if (made === first) return;
    }
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const fd = await open(directory, 'r');
  try {
    await fsync(fd);
  } finally {
    await close(fd);
  }
}
