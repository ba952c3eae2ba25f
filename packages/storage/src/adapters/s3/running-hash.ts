import { createHash, type Hash } from 'node:crypto';
import { giveBack } from '../../give-back.ts';

/**
 * SHA-256 of the bytes that are appended, with what is needed to take bytes back. `null` stands for a hash that nobody knows,
 * because the bytes before went through another process: it is made at the end, from the object.
 */
export class RunningHash {
  #hash: Hash | null;
  /** As of the last saved state. */
  #saved: Hash | null;
  /** As of the beginning of the part that is being filled; unknown for a part that another writer began. */
  #part: Hash | null;

  /** @param hash of the saved bytes; `atPart` says that the part begins behind them */
  constructor(hash: Hash | null, atPart: boolean) {
    this.#hash = hash;
    this.#saved = hash?.copy() ?? null;
    this.#part = atPart ? this.#saved : null;
  }

  update(bytes: Uint8Array): void {
    this.#hash?.update(bytes);
  }

  beginPart(): void {
    this.#part = this.#hash?.copy() ?? null;
  }

  /** A copy as of now, or as of the beginning of the part, for {@link save} when that is durable. */
  mark(at: 'now' | 'part'): Hash | null {
    return (at === 'now' ? this.#hash : this.#part)?.copy() ?? null;
  }

  save(mark: Hash | null): void {
    this.#saved = mark;
  }

  /** Goes back to the saved state; with `rebegun` the part is another one now, and began before it. */
  returnToSaved(rebegun: boolean): void {
    this.#hash = this.#saved?.copy() ?? null;
    if (rebegun) this.#part = null;
  }

  /** Goes back to the beginning of the part and on over `bytes`. */
  returnToPart(bytes: Uint8Array): void {
    this.#hash = this.#part?.copy().update(bytes) ?? null;
  }

  /** The hash of the saved state, for whoever continues from it. */
  get saved(): Hash | null {
    return this.#saved;
  }

  get isKnown(): boolean {
    return this.#hash !== null;
  }

  /** Makes the hash anew from all the bytes, which are saved; nobody else may look at the chunks. */
  async readFrom(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const hash = createHash('sha256');
    for await (const chunk of bytes) {
      hash.update(chunk);
      giveBack(chunk);
    }
    this.#hash = hash;
    this.#saved = hash.copy();
  }

  /** In hex; only where it is known. */
  digest(): string {
    return this.#hash?.copy().digest('hex') ?? '';
  }
}
