import fs, { constants } from 'node:fs';
import { promisify } from 'node:util';
import { close, isErrno, open } from './file-system.ts';

const write = promisify(fs.write);
/** What every file system and device that is in use accepts as alignment of places, lengths and memory. */
const ALIGNMENT = 4096;
// Absent where the system has no such flag (macOS).
const O_DIRECT = (constants as { O_DIRECT?: number }).O_DIRECT;

/**
 * A file past the page cache: a large upload that is hashed from memory need not push out what others read, and its last
 * sync has nothing left to write. Where the file system cannot, nothing is written here and the caller does it the usual way.
 */
export class DirectFile {
  readonly #path: string;
  #fd: Promise<number | null> | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Writes the aligned beginning of the first `length` bytes of `buffer` at `position`.
   * @returns how many bytes that were, perhaps 0
   */
  async write(buffer: Buffer, length: number, position: number): Promise<number> {
    const aligned = length - (length % ALIGNMENT);
    if (aligned === 0 || position % ALIGNMENT !== 0) return 0;
    this.#fd ??= this.#open();
    const fd = await this.#fd;
    if (fd === null) return 0;
    try {
      const { bytesWritten } = await write(fd, buffer, 0, aligned, position);
      return bytesWritten - (bytesWritten % ALIGNMENT);
    } catch (error) {
      if (!isErrno(error, 'EINVAL', 'EOPNOTSUPP')) throw error;
      await this.close();
      this.#fd = Promise.resolve(null);
      return 0;
    }
  }

  async close(): Promise<void> {
    const fd = await this.#fd;
    this.#fd = null;
    if (typeof fd === 'number') await close(fd);
  }

  async #open(): Promise<number | null> {
    if (O_DIRECT === undefined) return null;
    // Whatever is in the way of it (no such flag here, a file that lost its name to a successor), the other descriptor serves.
    return open(this.#path, constants.O_WRONLY | O_DIRECT).catch(() => null);
  }
}
