import type { Buffer } from 'node:buffer';
import type { Hash } from 'node:crypto';

const MAX_PARKED = 256;

/** What one writer knew of the content and its provider cannot tell before it is complete. */
export interface Parked {
  /** Bytes that are hashed. */
  length: number;
  hash: Hash;
  /** The first bytes, where they are in a part already. */
  head: Buffer | null;
}

/**
 * Running hashes of uploads that nobody writes to at present, by the writer who saved their state last: who resumes in the same
 * process, as every request of a tus client does, need not read everything again at the end. Keeps the newest 256 (6 MB).
 */
export class ParkedHashes {
  readonly #parked = new Map<string, Parked>();

  park(writer: string, parked: Parked): void {
    this.#parked.delete(writer);
    this.#parked.set(writer, parked);
    if (this.#parked.size <= MAX_PARKED) return;
    const [oldest] = this.#parked.keys();
    if (oldest !== undefined) this.#parked.delete(oldest);
  }

  /** What was parked by `writer`, if it stopped at exactly `length`. */
  take(writer: string, length: number): Parked | null {
    const parked = this.#parked.get(writer);
    this.#parked.delete(writer);
    return parked?.length === length ? parked : null;
  }
}
