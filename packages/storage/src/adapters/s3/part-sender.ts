import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import type { Gate } from './gate.ts';
import type { Multipart } from './multipart.ts';
import type { PartBuffer } from './part-buffer.ts';

/** Sends the parts of one upload, a few at a time, so that it holds few in memory. */
export class PartSender {
  readonly #multipart: Multipart;
  readonly #gate: Gate;
  readonly #width: number;
  /** Parts on their way. They never reject: see `failure`. */
  readonly #sending = new Set<Promise<void>>();
  #failure: unknown = null;

  /** @param width parts of this upload on their way at a time; `gate` counts those of all uploads */
  constructor(multipart: Multipart, gate: Gate, width: number) {
    this.#multipart = multipart;
    this.#gate = gate;
    this.#width = width;
  }

  /** What the first part that could not be sent died of. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Takes the part, which must not change afterwards, as the next in order; false, and nothing done, when there is no room. */
  trySend(part: PartBuffer): boolean {
    if (this.#sending.size >= this.#width) return false;
    const index = this.#multipart.reserve();
    const sent = this.#gate.run(() => this.#multipart.send(index, part.content()));
    const settled: Promise<void> = sent
      .catch((error) => this.#fail(error))
      .finally(() => {
        this.#sending.delete(settled);
        part.release();
      });
    this.#sending.add(settled);
    return true;
  }

  /** Resolves when one more may be sent, or cannot be any more. */
  async room(): Promise<void> {
    while (this.#sending.size >= this.#width) await Promise.race(this.#sending);
  }

  /** Waits for all that are on their way now, whatever becomes of them. */
  async settled(): Promise<void> {
    await Promise.all(this.#sending);
  }

  /** As `settled`. @throws what `failure` is */
  async delivered(): Promise<void> {
    await this.settled();
    if (this.#failure) throw this.#failure;
  }

  #fail(error: unknown): void {
    // A multipart upload vanishes when another writer has completed or discarded the upload.
    this.#failure ??= isCarcosaError(error, 'not_found') ? new CarcosaError('upload_fenced', { cause: error }) : error;
  }
}
