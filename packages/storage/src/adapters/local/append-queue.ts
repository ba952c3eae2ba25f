import { CarcosaError } from '@carcosa/kernel';
import { giveBack } from '../../give-back.ts';
import { type ContentHash, INLINE_LIMIT } from './content-hash.ts';
import type { DirectFile } from './direct-file.ts';
import { fdatasync, toStorageError, writeAll } from './file-system.ts';
import { SLOT_SIZE, type Slot, type SlotPool } from './slot-pool.ts';

/** Slots that one queue may have on their way to the disk and to the hash. */
const MAX_SLOTS = 6;

export interface AppendQueueOptions {
  /** Its descriptor, opened when it is first needed. */
  file(): Promise<number>;
  /** The same file past the page cache, where the system can. */
  direct: DirectFile | null;
  /** Where the first byte goes. */
  position: number;
  slots: SlotPool;
  hash: ContentHash;
  /** Whether the hash follows this queue; a part of a file is told of when it is whole. */
  hashes: boolean;
}

/**
 * Appends to a file in order, one write at a time. Little is gathered as it comes; more goes through slots of shared memory, from
 * which it is written and hashed at the same time. After any failure the queue refuses everything: what is in the file is then
 * unknown.
 */
export class AppendQueue {
  readonly #options: AppendQueueOptions;
  /** Small contents: chunks as they came, not yet in a slot. */
  #chunks: Uint8Array[] = [];
  /** Those of them whose memory may be given back. */
  #owned: Uint8Array[] = [];
  #slot: Slot | null = null;
  /** Full slots on their way to the disk; `live`: hashed from memory. */
  #queued: { slot: Slot; live: boolean }[] = [];
  #slotsInUse = 0;
  #length: number;
  /** Where the file ends as far as it is written. */
  #written: number;
  /** As far as the last sync reached; -1 before the first. */
  #synced = -1;
  #writing: Promise<void> | null = null;
  #failure: CarcosaError | null = null;
  #closed = false;

  constructor(options: AppendQueueOptions) {
    this.#options = options;
    this.#length = options.position;
    this.#written = options.position;
  }

  /** Position after all that was appended. */
  get length(): number {
    return this.#length;
  }

  append(chunk: Uint8Array, owned = false): Promise<void> | undefined {
    if (this.#failure || this.#closed) return Promise.reject(this.#refusal());
    if (chunk.length === 0) return undefined;
    const { hash, hashes } = this.#options;
    if (!this.#slot && this.#queued.length === 0 && this.#gathered() + chunk.length <= INLINE_LIMIT) {
      if (hashes) hash.small(chunk, this.#length);
      this.#chunks.push(chunk);
      if (owned) this.#owned.push(chunk);
      this.#length += chunk.length;
      return undefined;
    }
    return this.#spill() ?? this.#fill(chunk, owned);
  }

  /** All chunks that were appended, while none of them is in the file yet; null afterwards. */
  unwritten(): readonly Uint8Array[] | null {
    const untouched = this.#length === this.#gathered() && !this.#slot && !this.#writing && !this.#failure;
    return untouched ? this.#chunks : null;
  }

  /** Resolves when all that was appended before the call is in the file (perhaps only in the page cache). */
  async flush(): Promise<void> {
    const target = this.#length;
    if (this.#chunks.length > 0) this.#start(this.#writeChunks());
    if (this.#slot) this.#enqueue();
    await this.#writtenUpTo(target);
  }

  /** Puts on stable storage what was appended before; `lazy` leaves out what would have to be written in small pieces. */
  async sync(options: { lazy?: boolean } = {}): Promise<number> {
    if (!options.lazy) await this.flush();
    if (this.#failure || this.#closed) throw this.#refusal();
    const target = this.#written;
    if (target === this.#synced) return target;
    try {
      await fdatasync(await this.#options.file());
    } catch (error) {
      // The kernel may have dropped the dirty pages: a later fsync that succeeds would prove nothing.
      throw this.#fail(error);
    }
    this.#synced = target;
    return target;
  }

  /** Forgets what is appended beyond `position` of a queue that was flushed. */
  rewind(position: number): void {
    this.#written = position;
    this.#length = position;
    this.#synced = -1;
  }

  /** Waits for a write that is under way, whatever its outcome, and gives all memory back. */
  async settle(): Promise<void> {
    this.#closed = true;
    await this.#writing?.catch(() => {});
    this.#releaseSlots();
    this.#chunks = [];
    for (const chunk of this.#owned.splice(0)) giveBack(chunk);
  }

  #releaseSlots(): void {
    for (const { slot } of this.#queued.splice(0)) slot.release();
    this.#slot?.release();
    this.#slot = null;
  }

  #gathered(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  /** Moves what was gathered while it was little into slots. */
  #spill(): Promise<void> | undefined {
    const chunks = this.#chunks;
    if (chunks.length === 0) return undefined;
    this.#chunks = [];
    this.#length -= chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    return this.#fill(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks));
  }

  #fill(chunk: Uint8Array, owned = false): Promise<void> | undefined {
    let rest = chunk;
    while (rest.length > 0) {
      this.#slot ??= this.#takeSlot();
      if (!this.#slot) return this.#fillLater(rest);
      // An odd beginning is made up for at once, so that all that follows is aligned.
      const capacity = SLOT_SIZE - ((this.#length - this.#slot.length) % SLOT_SIZE);
      const taken = Math.min(rest.length, capacity - this.#slot.length);
      this.#slot.buffer.set(taken === rest.length ? rest : rest.subarray(0, taken), this.#slot.length);
      this.#slot.length += taken;
      this.#length += taken;
      rest = rest.subarray(taken);
      if (this.#slot.length === capacity) this.#enqueue();
    }
    if (owned) giveBack(chunk);
    return undefined;
  }

  #takeSlot(): Slot | null {
    const slot = this.#slotsInUse < MAX_SLOTS ? this.#options.slots.take() : null;
    if (!slot) return null;
    this.#slotsInUse += 1;
    slot.onFree(() => {
      this.#slotsInUse -= 1;
    });
    return slot;
  }

  async #fillLater(rest: Uint8Array): Promise<void> {
    await this.#options.slots.freed();
    if (this.#failure || this.#closed) throw this.#refusal();
    await this.#fill(rest);
  }

  #enqueue(): void {
    const slot = this.#slot;
    if (!slot) return;
    this.#slot = null;
    const { hash, hashes } = this.#options;
    const live = hashes && hash.isLive(this.#length - slot.length, this.#written);
    if (live) hash.live(slot);
    this.#queued.push({ slot, live });
    this.#write();
  }

  #write(): void {
    if (!this.#writing && this.#queued.length > 0 && !this.#failure && !this.#closed) this.#start(this.#writeQueued());
  }

  #start(writing: Promise<void>): void {
    this.#writing = writing.finally(() => {
      this.#writing = null;
      // A slot may have been queued after the last look.
      this.#write();
    });
    // Whoever appends or syncs next is told; until then nobody may be waiting.
    this.#writing.catch(() => {});
  }

  async #writeQueued(): Promise<void> {
    for (let next = this.#queued[0]; next && !this.#failure && !this.#closed; next = this.#queued[0]) {
      const { slot, live } = next;
      try {
        await this.#writeSlot(slot, live);
      } catch (error) {
        const failure = this.#fail(error);
        // Somebody may wait for memory that only this queue would have given back.
        this.#releaseSlots();
        throw failure;
      }
      this.#queued.shift();
      this.#written += slot.length;
      slot.release();
      if (this.#options.hashes) this.#options.hash.written(this.#written);
    }
  }

  async #writeSlot(slot: Slot, live: boolean): Promise<void> {
    const { direct, file } = this.#options;
    const fd = await file();
    // What has to be read back for the hash had better be in the page cache.
    const done = live && direct ? await direct.write(slot.buffer, slot.length, this.#written) : 0;
    if (done < slot.length) await writeAll(fd, [slot.filled.subarray(done)], this.#written + done);
  }

  async #writeChunks(): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = [];
    try {
      await writeAll(await this.#options.file(), chunks, this.#written);
    } catch (error) {
      throw this.#fail(error);
    }
    this.#written += chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (this.#options.hashes) this.#options.hash.written(this.#written);
  }

  async #writtenUpTo(target: number): Promise<void> {
    while (this.#written < target && !this.#failure && !this.#closed) await this.#writing;
    if (this.#failure || this.#closed) throw this.#refusal();
  }

  #refusal(): CarcosaError {
    return this.#failure ?? new CarcosaError('internal_error', { message: 'This staged object is closed.' });
  }

  #fail(error: unknown): CarcosaError {
    this.#failure ??= toStorageError(error);
    return this.#failure;
  }
}
