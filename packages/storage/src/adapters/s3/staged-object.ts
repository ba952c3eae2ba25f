import type { Buffer } from 'node:buffer';
import { CarcosaError } from '@carcosa/kernel';
import { giveBack } from '../../give-back.ts';
import type { StagedObject, StagedRef } from '../../port.ts';
import { toStorageError } from './errors.ts';
import type { Multipart } from './multipart.ts';
import { openBody } from './object-body.ts';
import { PartBuffer } from './part-buffer.ts';
import { PartSender } from './part-sender.ts';
import { partsInFlight } from './part-size.ts';
import { RunningHash } from './running-hash.ts';
import { SmallObjects } from './small-objects.ts';
import type { StagedStart, StagingContext } from './staged-start.ts';
import {
  assertRoom,
  assertStagedFor,
  assertTruncatable,
  partCount,
  type StagedState,
  stateAfterSave,
} from './staged-state.ts';
import { loadHead, loadPart } from './tail.ts';
import { putWhole, type Writer } from './verified-put.ts';

/** First bytes that are kept where the provider cannot be asked for them: enough to recognize any type, and for the measures of most pictures. */
const HEAD_SIZE = 64 * 1024;

/**
 * An object that grows in parts of one size. Full parts are sent as they fill; `sync` saves what follows them as small objects,
 * because a provider takes no part before it is full, nor gives back what a part holds before all are put together.
 */
export class S3StagedObject implements StagedObject {
  readonly #context: StagingContext;
  readonly #writer: Writer;
  readonly #multipart: Multipart | null;
  readonly #sender: PartSender | null;
  readonly #objects: SmallObjects;
  /** Whether others have written before. */
  readonly #resumed: boolean;
  /** As of the last sync: what the upload's row may refer to. */
  #saved: StagedState;
  #length: number;
  #part: PartBuffer;
  readonly #hash: RunningHash;
  #head: Buffer | null;
  /**
   * Small objects that only states before the one that we began with refer to. The upload's row is known to hold no older one;
   * whether it holds what is saved from now on, nobody here knows.
   */
  readonly #removable: string[];
  #failure: CarcosaError | null = null;
  #syncing: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #committed = false;

  constructor(context: StagingContext, start: StagedStart) {
    this.#context = context;
    this.#writer = start.writer;
    this.#multipart = start.multipart;
    this.#sender =
      start.multipart && new PartSender(start.multipart, context.gate, partsInFlight(start.state.partSize));
    this.#objects = new SmallObjects(context.api, context.layout.staging(start.state.uploadId), start.writer.id);
    this.#saved = start.state;
    this.#length = start.state.length;
    this.#part = start.part;
    this.#hash = new RunningHash(start.hash, start.part.length === 0);
    this.#head = start.head;
    this.#resumed = start.state.writer !== start.writer.id;
    this.#removable = [...start.state.stale];
  }

  get ref(): StagedRef {
    return this.#saved;
  }

  get length(): number {
    return this.#length;
  }

  /**
   * A begin of a multipart upload whose answer was lost was sent again: the first one is still there. A former writer may put one
   * more small object.
   */
  get mayLeaveTraces(): boolean {
    return this.#resumed || (this.#multipart?.hasBegun ?? false);
  }

  append(chunk: Uint8Array, owned = false): Promise<void> | undefined {
    try {
      this.#check();
      assertRoom(this.#saved, this.length, chunk.length);
      const taken = this.#fill(chunk);
      if (taken < chunk.length) return this.#fillRest(chunk.subarray(taken));
      // Copied and hashed already.
      if (owned) giveBack(chunk);
      return undefined;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async truncate(length: number): Promise<void> {
    await this.#syncing;
    this.#check();
    const saved = this.#saved;
    if (length === this.length) return;
    assertTruncatable(saved, { length, now: this.length, partStart: this.#partStart });
    const otherPart = length < this.#partStart;
    if (otherPart) await this.#returnToSaved();
    else this.#part.truncate(length - this.#partStart);
    this.#length = length;
    if (length === saved.length) this.#hash.returnToSaved(otherPart);
    else this.#hash.returnToPart(this.#part.slice(0));
  }

  sync(options: { lazy?: boolean } = {}): Promise<number> {
    const synced = this.#syncing.then(() => this.#sync(options.lazy === true));
    this.#syncing = synced.catch(() => {});
    return synced;
  }

  async sha256(): Promise<string> {
    await this.#syncing;
    this.#check();
    if (!this.#hash.isKnown) {
      // Parts can be read only once they are put together. Nothing refers to the key yet.
      await this.#finish();
      await this.#hash.readFrom(await openBody(this.#context.api, this.#key));
    }
    return this.#hash.digest();
  }

  async head(length: number): Promise<Uint8Array> {
    await this.#syncing;
    this.#check();
    const end = Math.min(length, this.length, HEAD_SIZE);
    if (end === 0) return new Uint8Array();
    if (!this.#head && !this.#saved.whole && this.#part.index === 0) return this.#part.copy(0, end);
    this.#head ??= await this.#loadHead();
    return this.#head.subarray(0, end);
  }

  async commit(key: string): Promise<void> {
    assertStagedFor(this.#saved, key);
    if (this.#committed) return;
    await this.#syncing;
    this.#check();
    await this.#finish();
    this.#committed = true;
    await this.#objects.removeAll(this.#saved, this.#resumed);
    await this.close();
  }

  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  /** The whole key at the provider. */
  get #key(): string {
    return this.#context.layout.object(this.#saved.key);
  }

  get #partStart(): number {
    return this.#part.index * this.#saved.partSize;
  }

  /** @throws CarcosaError what made this staged object useless */
  #check(): void {
    if (this.#sender?.failure) this.#fail(this.#sender.failure);
    if (this.#failure) throw this.#failure;
    if (this.#closing) throw new CarcosaError('internal_error', { message: 'This staged object is closed.' });
  }

  #fail(error: unknown): unknown {
    const failure = toStorageError(error);
    if (failure instanceof CarcosaError) this.#failure ??= failure;
    return this.#failure ?? failure;
  }

  #fill(chunk: Uint8Array): number {
    let taken = 0;
    while (taken < chunk.length && (!this.#part.full || this.#trySendPart())) {
      const rest = taken === 0 ? chunk : chunk.subarray(taken);
      const fitting = this.#part.append(rest);
      this.#hash.update(fitting === rest.length ? rest : rest.subarray(0, fitting));
      this.#length += fitting;
      taken += fitting;
    }
    return taken;
  }

  async #fillRest(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.length > 0; rest = rest.subarray(this.#fill(rest))) {
      await this.#sender?.room();
      this.#check();
    }
  }

  /** Sends the part and begins the next one; false when there is no room. */
  #trySendPart(): boolean {
    const part = this.#part;
    if (!this.#sender?.trySend(part)) return false;
    if (part.index === 0) this.#head = part.copy(0, HEAD_SIZE);
    this.#part = new PartBuffer(part.index + 1, this.#saved.partSize, this.#context.buffers);
    this.#hash.beginPart();
    return true;
  }

  /** Sends `part` unless somebody has done so meanwhile. */
  async #sendPart(part: PartBuffer): Promise<void> {
    while (this.#part === part && !this.#trySendPart()) {
      await this.#sender?.room();
      this.#check();
    }
  }

  async #sync(lazy: boolean): Promise<number> {
    this.#check();
    // Saved lazily, the beginning of a part waits until the part is full: it is written once then.
    const unfinished = lazy && !this.#part.full && this.length !== this.#saved.size;
    const length = unfinished ? this.#partStart : this.length;
    if (length <= this.#saved.length) return this.#saved.length;
    const mark = this.#hash.mark(unfinished ? 'part' : 'now');
    try {
      if (!this.#sender && length === this.#saved.size) await this.#finish();
      else this.#saved = await this.#save(length);
      this.#hash.save(mark);
    } catch (error) {
      throw this.#fail(error);
    }
    return length;
  }

  /** Puts the first `length` bytes on stable storage: all that there are now, or all before this part. More may come meanwhile. */
  async #save(length: number): Promise<StagedState> {
    const part = this.#part;
    const before = this.#saved;
    const last = length === before.size;
    const rest = length - this.#partStart;
    const sendIt = this.#sender !== null && rest > 0 && (last || part.full);
    if (sendIt) await this.#sendPart(part);
    const needsHead = !before.head && !last && (sendIt || part.index > 0);
    const savedTail = part.index === partCount(before) ? before.tail : [];
    const removable = this.#removable.splice(0);
    const [tail, head, multipart] = await Promise.all([
      sendIt || rest === 0 ? [] : this.#objects.saveTail(part, savedTail, rest),
      needsHead && this.#head ? this.#objects.saveHead(this.#head) : before.head,
      // What is saved names the one multipart upload that all later writers share.
      this.#multipart?.id() ?? null,
      this.#sender?.delivered(),
      this.#objects.remove(removable),
    ]);
    const { id: writer, generation } = this.#writer;
    return stateAfterSave(before, { writer, generation, length, multipart, tail, head }, removable);
  }

  async #loadHead(): Promise<Buffer> {
    if (!this.#saved.head) await this.#finish();
    return loadHead(this.#context.api, this.#saved, { key: this.#key, length: HEAD_SIZE });
  }

  /** Makes the object of all that was appended, under its key; where nothing refers to it yet. */
  async #finish(): Promise<void> {
    if (this.#saved.whole) return;
    const { contentType } = this.#saved;
    const length = this.length;
    try {
      if (this.#multipart && this.#sender && (this.#multipart.hasBegun || this.#part.index > 0)) {
        const isLast = this.#part.length > 0 || this.#part.index === 0;
        await this.#sender.delivered();
        await this.#multipart.endAt(this.#part.index + Number(isLast));
        if (isLast) await this.#sendPart(this.#part);
        await this.#sender.delivered();
        await this.#multipart.complete(length);
      } else {
        await putWhole(this.#context.api, this.#key, this.#part.content(), { writer: this.#writer, contentType });
        this.#head = this.#part.copy(0, HEAD_SIZE);
      }
    } catch (error) {
      throw this.#fail(error);
    }
    const { id, generation } = this.#writer;
    this.#saved = { ...this.#saved, writer: id, generation, length, whole: true };
    this.#hash.save(this.#hash.mark('now'));
  }

  async #returnToSaved(): Promise<void> {
    const { api } = this.#context;
    const saved = this.#saved;
    await this.#sender?.delivered();
    const parts = partCount(saved);
    this.#multipart?.truncate(parts);
    const part = await loadPart(api, saved, this.#context.buffers);
    if (parts === 0) this.#head = null;
    this.#part.release();
    this.#part = part;
  }

  async #release(): Promise<void> {
    await this.#syncing;
    await this.#sender?.settled();
    const hash = this.#hash.saved;
    if (!hash || this.#committed) return;
    const head = this.#saved.whole || partCount(this.#saved) > 0 ? this.#head : null;
    this.#context.parked.park(this.#saved.writer, { length: this.#saved.length, hash, head });
  }
}
