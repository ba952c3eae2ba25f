/** Bytes of a slot: one write call, one turn of the hash. A multiple of every page and sector size. */
export const SLOT_SIZE = 1024 * 1024;
/** Slots of a process; only those that were ever in use at the same time take memory. */
const SLOT_COUNT = 64;
const WASM_PAGE = 65_536;

// Node's types leave WebAssembly to those of browsers.
declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number; shared: true }) => { buffer: SharedArrayBuffer };
};

/** A piece of memory on its way to the disk and to the hash, which other threads can read. */
export class Slot {
  readonly index: number;
  readonly buffer: Buffer;
  /** Bytes that are filled. */
  length = 0;
  readonly #free: (slot: Slot) => void;
  #users = 0;
  #onFree: (() => void) | null = null;

  constructor(index: number, buffer: Buffer, free: (slot: Slot) => void) {
    this.index = index;
    this.buffer = buffer;
    this.#free = free;
  }

  get filled(): Buffer {
    return this.length === SLOT_SIZE ? this.buffer : this.buffer.subarray(0, this.length);
  }

  retain(): void {
    this.#users += 1;
  }

  /** Called once, when the last user has given it back. */
  onFree(callback: () => void): void {
    this.#onFree = callback;
  }

  /** The last user gives it back. */
  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.length = 0;
    this.#onFree?.();
    this.#onFree = null;
    this.#free(this);
  }
}

/**
 * Memory that large uploads pass through: bounded whatever their number, shared with the hash workers so that nothing is
 * copied to them, and aligned to pages so that it can be written past the page cache (O_DIRECT).
 */
export class SlotPool {
  readonly memory: SharedArrayBuffer;
  readonly #free: Slot[] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(count = SLOT_COUNT) {
    const pages = (count * SLOT_SIZE) / WASM_PAGE;
    // A plain SharedArrayBuffer is not aligned to pages; the memory of WebAssembly is, by its implementation of guard pages.
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer;
    // The last one first: a pool that is little used touches little memory.
    for (let index = count - 1; index >= 0; index--) {
      const buffer = Buffer.from(this.memory as unknown as ArrayBuffer, index * SLOT_SIZE, SLOT_SIZE);
      this.#free.push(new Slot(index, buffer, (slot) => this.#give(slot)));
    }
  }

  /** An empty slot that the caller must release, or null when all are in use. */
  take(): Slot | null {
    const slot = this.#free.pop() ?? null;
    slot?.retain();
    return slot;
  }

  /** Resolves when some slot was given back; another may have been faster to take it. */
  freed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #give(slot: Slot): void {
    this.#free.push(slot);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
