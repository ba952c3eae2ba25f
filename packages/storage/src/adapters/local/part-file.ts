import { CarcosaError } from '@carcosa/kernel';
import type { PartWriter } from '../../port.ts';
import { AppendQueue } from './append-queue.ts';
import type { ContentHash } from './content-hash.ts';
import { DirectFile } from './direct-file.ts';
import { close } from './file-system.ts';
import type { SlotPool } from './slot-pool.ts';

export interface PartFileOptions {
  fd: number;
  path: string;
  place: { offset: number; size: number };
  slots: SlotPool;
  hash: ContentHash;
  /** Whether all before this part is hashed already, so that the hash can follow it from memory. */
  inOrder: boolean;
  onFinish(): void;
  onClose(finished: boolean): void;
}

/** Writes one part into its place of a staged file. */
export class PartFile implements PartWriter {
  readonly #options: PartFileOptions;
  readonly #end: number;
  readonly #direct: DirectFile;
  readonly #queue: AppendQueue;
  #finished = false;
  #closing: Promise<void> | null = null;

  constructor(options: PartFileOptions) {
    const { fd, path, place, slots, hash, inOrder } = options;
    this.#options = options;
    this.#end = place.offset + place.size;
    this.#direct = new DirectFile(path);
    const file = () => Promise.resolve(fd);
    const { offset: position } = place;
    this.#queue = new AppendQueue({ file, direct: this.#direct, position, slots, hash, hashes: inOrder });
  }

  append(chunk: Uint8Array, owned?: boolean): Promise<void> | undefined {
    if (this.#queue.length + chunk.length > this.#end) return Promise.reject(new CarcosaError('length_mismatch'));
    return this.#queue.append(chunk, owned);
  }

  async finish(): Promise<void> {
    if (this.#queue.length !== this.#end) throw new CarcosaError('length_mismatch');
    await this.#queue.sync();
    this.#finished = true;
    this.#options.onFinish();
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#queue.settle();
      await Promise.all([close(this.#options.fd), this.#direct.close()]);
      this.#options.onClose(this.#finished);
    })();
    return this.#closing;
  }
}
