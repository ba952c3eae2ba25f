import { read, readSync } from 'node:fs';

/** A read of up to half a megabyte from the page cache takes 0.02 to 0.2 ms; beyond this it came from a device. */
const SLOW_MS = 3;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
/** Quick reads in a row after which a device counts as quick again. */
const TRUST_AFTER = 1000;

/**
 * Reads files for answers. What lies in the page cache is read at once, in this thread: a third less processor time for a small
 * range than by way of the thread pool. A read that turns out slow has held up everybody, so reads go through the pool for
 * a while afterwards, twice as long each time: a slow disk costs this thread one slow read in 30 s at most.
 */
export class PacedReader {
  readonly #now: () => number;
  #pooledUntil = 0;
  #pause = FIRST_PAUSE_MS;
  #quick = 0;

  /** @param now milliseconds from any origin, never going back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Fills `buffer` with `length` bytes at `position`. Gives how many there were: fewer only at the end of the file. */
  read(fd: number, buffer: Buffer, length: number, position: number): number | Promise<number> {
    const began = this.#now();
    if (began < this.#pooledUntil) return readPooled(fd, buffer, length, position);
    let filled = 0;
    while (filled < length) {
      const count = readSync(fd, buffer, filled, length - filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    this.#judge(began, this.#now());
    return filled;
  }

  #judge(began: number, ended: number): void {
    if (ended - began < SLOW_MS) {
      if (++this.#quick >= TRUST_AFTER) this.#pause = FIRST_PAUSE_MS;
      return;
    }
    this.#quick = 0;
    this.#pooledUntil = ended + this.#pause;
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
  }
}

function readPooled(fd: number, buffer: Buffer, length: number, position: number): Promise<number> {
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
