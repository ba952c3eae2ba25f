import { CarcosaError } from '@carcosa/kernel';
import type { PartWriter } from '../../port.ts';
import { AppendQueue } from './append-queue.ts';
import { close } from './file-system.ts';

/** Writes one part into its place of a staged file. */
export class PartFile implements PartWriter {
  readonly #fd: number;
  readonly #end: number;
  readonly #queue: AppendQueue;
  readonly #onFinish: () => void;
  #closing: Promise<void> | null = null;

  constructor(fd: number, place: { offset: number; size: number }, onFinish: () => void) {
    this.#fd = fd;
    this.#end = place.offset + place.size;
    this.#queue = new AppendQueue(fd, place.offset);
    this.#onFinish = onFinish;
  }

  append(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#queue.length + chunk.length > this.#end) return Promise.reject(new CarcosaError('length_mismatch'));
    return this.#queue.append(chunk);
  }

  async finish(): Promise<void> {
    if (this.#queue.length !== this.#end) throw new CarcosaError('length_mismatch');
    await this.#queue.sync();
    this.#onFinish();
  }

  close(): Promise<void> {
    this.#closing ??= this.#queue.settle().then(() => close(this.#fd));
    return this.#closing;
  }
}
