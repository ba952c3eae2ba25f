import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CarcosaError } from '@carcosa/kernel';
import type { HashCommand, HashReply } from './hash-protocol.ts';
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

/** The hash workers of this process, begun at first use. They keep it alive only while they have something to do. */
export class HashPool {
  readonly slots = new SlotPool();
  readonly #workers: (HashWorker | null)[];
  #nextId = 1;

  /** @param size threads; by default one for each core but the first, at most four */
  constructor(size = Math.min(4, Math.max(1, availableParallelism() - 1))) {
    this.#workers = new Array<HashWorker | null>(size).fill(null);
  }

  open(path: string): HashStream {
    const id = this.#nextId++;
    const index = id % this.#workers.length;
    let worker = this.#workers[index] ?? null;
    if (!worker || worker.dead) {
      worker = new HashWorker(this.slots.memory);
      this.#workers[index] = worker;
    }
    return worker.open(id, path);
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker?.close()));
  }
}

class HashWorker {
  dead = false;
  readonly #worker: Worker;
  readonly #waiters = new Map<number, Waiter>();
  /** Failures that came before anybody asked for the digest. */
  readonly #failed = new Map<number, string>();
  readonly #slots = new Map<number, Slot>();

  constructor(memory: SharedArrayBuffer) {
    // The same file as source (type stripping) and as build output.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./hash-worker.${extension}`, import.meta.url), {
      name: 'carcosa-hash',
      workerData: { memory, slotSize: SLOT_SIZE },
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    this.#worker.unref();
    this.#worker.on('message', (reply: HashReply) => this.#receive(reply));
    this.#worker.on('error', (error) => this.#lost(error.message));
    this.#worker.on('exit', () => this.#lost('the hash worker ended'));
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

  async close(): Promise<void> {
    await this.#worker.terminate();
    this.#lost('the hash worker was closed');
  }

  #slot(id: number, slot: Slot): void {
    if (this.dead) return;
    slot.retain();
    this.#slots.set(slot.index, slot);
    this.#worker.ref();
    this.#send({ type: 'slot', id, slot: slot.index, length: slot.length });
  }

  #finish(id: number): Promise<string> {
    const failure = this.dead ? 'the hash worker ended' : this.#failed.get(id);
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

  #send(command: HashCommand): void {
    if (!this.dead) this.#worker.postMessage(command);
  }

  #receive(reply: HashReply): void {
    if (reply.type === 'hashed') {
      const slot = this.#slots.get(reply.slot);
      this.#slots.delete(reply.slot);
      slot?.release();
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

  #rest(): void {
    if (this.#waiters.size === 0 && this.#slots.size === 0) this.#worker.unref();
  }

  /** A worker that died takes its streams with it: whoever waits is told, and begins again from the file with another one. */
  #lost(message: string): void {
    if (this.dead) return;
    this.dead = true;
    for (const slot of this.#slots.values()) slot.release();
    this.#slots.clear();
    for (const waiter of this.#waiters.values()) waiter.reject(hashError(message));
    this.#waiters.clear();
  }
}

function hashError(message: string): CarcosaError {
  return new CarcosaError('internal_error', { message: `The content could not be hashed: ${message}.` });
}
