import type { Buffer } from 'node:buffer';
import type { S3Api } from './client.ts';
import { contentOf, type PartBuffer } from './part-buffer.ts';
import type { Segment, StagedState } from './staged-state.ts';
import { saveTail } from './tail.ts';
import { sendVerified } from './verified-put.ts';

/** What one writer keeps in an upload's staging folder. Names are never used twice: no writer touches what another has saved. */
export class SmallObjects {
  readonly #api: S3Api;
  readonly #folder: string;
  readonly #writerId: string;
  #count = 0;

  /** @param folder whole name of the upload's folder; ends in "/" */
  constructor(api: S3Api, folder: string, writerId: string) {
    this.#api = api;
    this.#folder = folder;
    this.#writerId = writerId;
  }

  /** Saves the first `length` bytes of a part, beyond those that `saved` holds of it. */
  saveTail(part: PartBuffer, saved: readonly Segment[], length: number): Promise<Segment[]> {
    return part.use(() => saveTail(this.#api, part, saved, { length, key: this.#newName() }));
  }

  /** Saves the first bytes of the content; returns where. */
  async saveHead(head: Buffer): Promise<string> {
    const key = this.#newName();
    const content = contentOf(head);
    await sendVerified(content, () => this.#api.put(key, content));
    return key;
  }

  /** Removes what it can: the rest lies where nobody looks, and goes when the folder is emptied. */
  async remove(keys: readonly string[]): Promise<void> {
    await this.#api.deleteAll(keys).catch(() => {});
  }

  /** Removes all that an upload needed until it was whole; with `others`, also what former writers may have left. */
  async removeAll(state: StagedState, others: boolean): Promise<void> {
    const keys = [...state.tail.map(({ key }) => key), ...state.stale, ...(state.head ? [state.head] : [])];
    try {
      if (others) for await (const { key } of this.#api.list(this.#folder)) keys.push(key);
      await this.remove([...new Set(keys)]);
    } catch {
      // As in `remove`.
    }
  }

  #newName(): string {
    return `${this.#folder}${this.#writerId}-${this.#count++}`;
  }
}
