import { acceptedFormat, type TransformedFile, type Validators } from '@carcosa/domain';

/** An answer with all of its headers, as it was sent before. */
export interface HotAnswer {
  readonly found: TransformedFile;
  readonly validators: Validators;
  /** Names and values in turn: for 304, and those that follow them for 200. */
  readonly validation: readonly string[];
  readonly description: readonly string[];
  readonly bytes: Buffer;
  /** As `TransformService.purges` was then. */
  readonly purges: number;
}

interface Slot {
  readonly isNegotiated: boolean;
  /** By the format that the client accepts, where that matters. */
  readonly answers: Map<string, HotAnswer>;
}

const MAX_ADDRESSES = 2000;
const MAX_BYTES = 32 * 1024 * 1024;
/** Larger ones gain nothing by it. */
const MAX_BODY = 256 * 1024;

/**
 * Answers of pictures by their address, exactly as it was written: reading an address, and finding what it leads to, is most of the work
 * of a picture that is asked for again. Whoever takes one has to see that all that it was decided by is still as it was.
 */
export class HotAnswers {
  readonly #slots = new Map<string, Slot>();
  #bytes = 0;

  get(address: string, accept: string | undefined): HotAnswer | undefined {
    const slot = this.#slots.get(address);
    return slot?.answers.get(variantOf(slot, accept));
  }

  set(address: string, accept: string | undefined, answer: HotAnswer): void {
    if (answer.bytes.length > MAX_BODY) return;
    const slot = this.#slots.get(address) ?? { isNegotiated: answer.found.isNegotiated, answers: new Map() };
    const variant = variantOf(slot, accept);
    this.#bytes += answer.bytes.length - (slot.answers.get(variant)?.bytes.length ?? 0);
    slot.answers.set(variant, answer);
    this.#slots.delete(address);
    this.#slots.set(address, slot);
    for (const oldest of this.#slots.keys()) {
      if (this.#slots.size <= MAX_ADDRESSES && this.#bytes <= MAX_BYTES) break;
      this.forget(oldest);
    }
  }

  forget(address: string): void {
    const slot = this.#slots.get(address);
    for (const { bytes } of slot?.answers.values() ?? []) this.#bytes -= bytes.length;
    this.#slots.delete(address);
  }
}

function variantOf({ isNegotiated }: Slot, accept: string | undefined): string {
  return isNegotiated ? (acceptedFormat(accept ?? '') ?? '') : '';
}
