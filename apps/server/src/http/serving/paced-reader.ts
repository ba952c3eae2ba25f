import { read, readSync } from 'node:fs';

/** A read of up to a mebibyte from the page cache takes 0.02 to 0.5 ms. */
const SLOW_MS = 3;
/** Beyond this it does not matter any more why. */
const VERY_SLOW_MS = 100;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
/** Quick reads in a row after which a device counts as quick again. */
const TRUST_AFTER = 1000;
/** Quick reads in a row that end the shortest pause early; a pause of twice the length takes twice as many. */
const QUICK_TO_RETURN = 32;

export interface PacedReaderOptions {
  /** Milliseconds from any origin, never going back. */
  now?: () => number;
  /** How often this process has read from devices so far. */
  deviceReads?: () => number;
}

/**
 * Reads files for answers. What lies in the page cache is read at once, in this thread: a third less processor time for a small
 * range than by way of the thread pool. A read that had to wait for a device has held up everybody, so reads go through the pool
 * for a while afterwards, twice as long each time, or until so many of them in a row were quick that the pages are cached.
 */
export class PacedReader {
  readonly #now: () => number;
  readonly #deviceReads: () => number;
  #lastDeviceReads: number;
  #pooledUntil = 0;
  #pause = FIRST_PAUSE_MS;
  #quick = 0;

  constructor(options: PacedReaderOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#deviceReads = options.deviceReads ?? (() => process.resourceUsage().fsRead);
    this.#lastDeviceReads = this.#deviceReads();
  }

  /** Fills `buffer` with `length` bytes at `position`. Gives how many there were: fewer only at the end of the file. */
  read(fd: number, buffer: Buffer, length: number, position: number): number | Promise<number> {
    const began = this.#now();
    if (began < this.#pooledUntil) return this.#readPooled(began, { fd, buffer, length, position });
    let filled = 0;
    while (filled < length) {
      const count = readSync(fd, buffer, filled, length - filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    const ended = this.#now();
    if (ended - began < SLOW_MS) this.#wasQuick();
    else if (this.#cameFromDevice() || ended - began >= VERY_SLOW_MS) this.#wasSlow(ended);
    return filled;
  }

  async #readPooled(began: number, place: Place): Promise<number> {
    const filled = await readPooled(place);
    this.#quick = this.#now() - began < SLOW_MS ? this.#quick + 1 : 0;
    if (this.#quick >= (QUICK_TO_RETURN * this.#pause) / (2 * FIRST_PAUSE_MS)) this.#pooledUntil = 0;
    return filled;
  }

  #wasQuick(): void {
    if (++this.#quick >= TRUST_AFTER) this.#pause = FIRST_PAUSE_MS;
  }

  #wasSlow(now: number): void {
    this.#quick = 0;
    this.#pooledUntil = now + this.#pause;
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
  }

  /** Otherwise this thread only had to wait for a processor, and would have to in the pool as well. */
  #cameFromDevice(): boolean {
    const before = this.#lastDeviceReads;
    this.#lastDeviceReads = this.#deviceReads();
    return this.#lastDeviceReads !== before;
  }
}

interface Place {
  fd: number;
  buffer: Buffer;
  length: number;
  position: number;
}

function readPooled({ fd, buffer, length, position }: Place): Promise<number> {
  return new Promise((resolve, reject) => {
    let filled = 0;
    const next = (): void => {
      read(fd, buffer, filled, length - filled, position + filled, (error, count) => {
        if (error) return reject(error);
        filled += count;
        if (count === 0 || filled === length) resolve(filled);
        else next();
      });
    };
    next();
  });
}
