import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CarcosaError } from '@carcosa/kernel';
import type { DiskCommand, DiskReply, SmallFile } from './disk-worker-protocol.ts';
import { toStorageError } from './file-system.ts';
import { journalOwner } from './journal-owner.ts';
import { SLOT_SIZE, type Slot, SlotPool } from './slot-pool.ts';

/** SHA-256 of one growing file, computed in another thread. What is told is done in that order. */
export interface HashStream {
  /** Hashes a slot; it is released by the hash when that is done. */
  slot(slot: Slot): void;
  /** Hashes the file up to `position`, whose bytes are written. */
  file(position: number): void;
  /** The digest in hex of all that was told; ends the stream. */
  finish(): Promise<string>;
  close(): void;
}

interface Waiter {
  resolve(sha256: string): void;
  reject(error: Error): void;
}

/** Threads that hash, and store small files; begun at first use. They keep the process alive only while they have something to do. */
export class DiskWorkers {
  readonly slots = new SlotPool();
  readonly #workers: (DiskWorker | null)[];
  readonly #owner = journalOwner();
  #ownerName: string | null = null;
  #nextId = 1;

  /** @param size threads; by default one for each core but the first, at most four */
  constructor(size = Math.min(4, Math.max(1, availableParallelism() - 1))) {
    this.#workers = new Array<DiskWorker | null>(size).fill(null);
  }

  /**
   * Names this run of this process in the names of journals; null where the system does not tell such runs apart, and there can be no
   * journals. To be awaited before the first file is stored.
   */
  async owner(): Promise<string | null> {
    this.#ownerName = await this.#owner;
    return this.#ownerName;
  }

  /** Follows the file at `path` with SHA-256. */
  open(path: string): HashStream {
    const id = this.#nextId++;
    return this.#worker(id % this.#workers.length).open(id, path);
  }

  /** Makes a small file of `content` under `target`, whole and durable. @throws CarcosaError as the file system's errors mean */
  store(file: Omit<SmallFile, 'id'>): Promise<void> {
    // Always the first: what comes together shares the syncs of its folders.
    return this.#worker(0).store({ id: this.#nextId++, ...file });
  }

  /** Syncs what lies in the journal of `directory`, for at most `patience` milliseconds; the rest is left to the next start. */
  async settle(directory: string, patience: number): Promise<void> {
    const [worker] = this.#workers;
    if (worker && !worker.dead) await worker.settle(this.#nextId++, directory, patience);
  }

  #worker(index: number): DiskWorker {
    let worker = this.#workers[index] ?? null;
    if (!worker || worker.dead) {
      worker = new DiskWorker(this.slots.memory, this.#ownerName);
      this.#workers[index] = worker;
    }
    return worker;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker?.close()));
  }
}

class DiskWorker {
  dead = false;
  readonly #worker: Worker;
  readonly #waiters = new Map<number, Waiter>();
  /** Failures that came before anybody asked for the digest. */
  readonly #failed = new Map<number, string>();
  readonly #slots = new Map<number, Slot>();
  #toStore: SmallFile[] = [];
  readonly #stores = new Map<number, { resolve(): void; reject(error: Error): void }>();

  constructor(memory: SharedArrayBuffer, owner: string | null) {
    // The same file as source (type stripping) and as build output.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./disk-worker.${extension}`, import.meta.url), {
      name: 'carcosa-disk',
      workerData: { memory, slotSize: SLOT_SIZE, owner },
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    this.#worker.unref();
    this.#worker.on('message', (reply: DiskReply) => this.#receive(reply));
    this.#worker.on('error', (error) => this.#lost(error.message));
    this.#worker.on('exit', () => this.#lost('the disk worker ended'));
  }

  open(id: number, path: string): HashStream {
    this.#send({ type: 'open', id, path });
    return {
      slot: (slot) => this.#slot(id, slot),
      file: (position) => this.#send({ type: 'file', id, position }),
      finish: () => this.#finish(id),
      close: () => {
        this.#failed.delete(id);
        this.#send({ type: 'close', id });
      },
    };
  }

  store(file: SmallFile): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stores.set(file.id, { resolve, reject });
      this.#worker.ref();
      // What one answer of the database lets go on goes over in one message: a message costs as much as writing a small file.
      if (this.#toStore.push(file) === 1) process.nextTick(() => this.#sendStores());
    });
  }

  settle(id: number, directory: string, patience: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#takeStore(id);
        resolve();
      };
      const timer = setTimeout(done, patience);
      this.#stores.set(id, { resolve: done, reject: done });
      this.#worker.ref();
      this.#send({ type: 'settle', id, directory });
    });
  }

  #sendStores(): void {
    const files = this.#toStore;
    this.#toStore = [];
    this.#send(
      { type: 'store', files },
      files.map(({ content }) => content.buffer as ArrayBuffer),
    );
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
    this.#lost('the disk worker was closed');
  }

  #slot(id: number, slot: Slot): void {
    if (this.dead) return;
    slot.retain();
    this.#slots.set(slot.index, slot);
    this.#worker.ref();
    this.#send({ type: 'slot', id, slot: slot.index, length: slot.length });
  }

  #finish(id: number): Promise<string> {
    const failure = this.dead ? 'the disk worker ended' : this.#failed.get(id);
    if (failure !== undefined) {
      this.#failed.delete(id);
      return Promise.reject(hashError(failure));
    }
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject });
      this.#worker.ref();
      this.#send({ type: 'finish', id });
    });
  }

  #send(command: DiskCommand, transfer: ArrayBuffer[] = []): void {
    if (!this.dead) this.#worker.postMessage(command, transfer);
  }

  #receive(reply: DiskReply): void {
    if (reply.type === 'hashed') {
      const slot = this.#slots.get(reply.slot);
      this.#slots.delete(reply.slot);
      slot?.release();
      this.#rest();
      return;
    }
    if (reply.type === 'stored') {
      for (const id of reply.ids) this.#takeStore(id)?.resolve();
      this.#rest();
      return;
    }
    if (reply.type === 'settled') {
      this.#takeStore(reply.id)?.resolve();
      this.#rest();
      return;
    }
    if (reply.type === 'refused') {
      const error = Object.assign(new Error(reply.message), { code: reply.code });
      this.#takeStore(reply.id)?.reject(toStorageError(error));
      this.#rest();
      return;
    }
    const waiter = this.#waiters.get(reply.id);
    this.#waiters.delete(reply.id);
    this.#rest();
    if (reply.type === 'digest') waiter?.resolve(reply.sha256);
    else if (waiter) waiter.reject(hashError(reply.message));
    else this.#failed.set(reply.id, reply.message);
  }

  #takeStore(id: number) {
    const store = this.#stores.get(id);
    this.#stores.delete(id);
    return store;
  }

  #rest(): void {
    if (this.#waiters.size + this.#slots.size + this.#stores.size === 0) this.#worker.unref();
  }

  /** A worker that died takes its streams with it: whoever waits is told, and begins again from the file with another one. */
  #lost(message: string): void {
    if (this.dead) return;
    this.dead = true;
    for (const slot of this.#slots.values()) slot.release();
    this.#slots.clear();
    for (const waiter of this.#waiters.values()) waiter.reject(hashError(message));
    this.#waiters.clear();
    // Whether they were stored nobody knows: the uploads are open still, and found by their rows.
    for (const store of this.#stores.values()) store.reject(new CarcosaError('storage_unavailable'));
    this.#stores.clear();
  }
}

function hashError(message: string): CarcosaError {
  return new CarcosaError('internal_error', { message: `The content could not be hashed: ${message}.` });
}
