import { Worker } from 'node:worker_threads';
import { CarcosaError } from '@carcosa/kernel';
import type { HashCommand, HashReply } from './hash-protocol.ts';

/** Follows one growing file with SHA-256 in another thread. */
export interface HashFollower {
  /** Says that the first `available` bytes are written. */
  advance(available: number): void;
  /** SHA-256 in hex of the first `length` bytes; ends the follower. */
  finish(length: number): Promise<string>;
  close(): void;
}

interface Waiter {
  resolve(sha256: string): void;
  reject(error: Error): void;
}

/** One worker thread for all uploads of this process, begun at first use. It never keeps the process alive by itself. */
export class HashPool {
  #worker: Worker | null = null;
  #nextId = 1;
  readonly #waiters = new Map<number, Waiter>();
  /** Failures that came before anybody asked for the digest. */
  readonly #failed = new Map<number, string>();

  follow(path: string): HashFollower {
    const id = this.#nextId++;
    this.#send({ type: 'open', id, path });
    return {
      advance: (available) => this.#send({ type: 'advance', id, available }),
      finish: (length) => this.#finish(id, length),
      close: () => {
        this.#failed.delete(id);
        this.#send({ type: 'close', id });
      },
    };
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
    this.#rejectAll('the hash worker was closed');
  }

  #finish(id: number, length: number): Promise<string> {
    const failure = this.#failed.get(id);
    if (failure !== undefined) {
      this.#failed.delete(id);
      return Promise.reject(hashError(failure));
    }
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject });
      this.#worker?.ref();
      this.#send({ type: 'finish', id, length });
    });
  }

  #send(command: HashCommand): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(command);
  }

  #start(): Worker {
    // The same file as source (type stripping) and as build output.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./hash-worker.${extension}`, import.meta.url), {
      name: 'carcosa-hash',
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    worker.unref();
    worker.on('message', (reply: HashReply) => this.#receive(reply));
    worker.on('error', (error) => this.#lost(worker, error.message));
    worker.on('exit', () => this.#lost(worker, 'the hash worker ended'));
    return worker;
  }

  #receive(reply: HashReply): void {
    const waiter = this.#waiters.get(reply.id);
    this.#waiters.delete(reply.id);
    if (this.#waiters.size === 0) this.#worker?.unref();
    if (reply.type === 'digest') waiter?.resolve(reply.sha256);
    else if (waiter) waiter.reject(hashError(reply.message));
    else this.#failed.set(reply.id, reply.message);
  }

  /** A worker that died takes the followers with it: whoever waits is told, the next one gets a new worker. */
  #lost(worker: Worker, message: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#rejectAll(message);
  }

  #rejectAll(message: string): void {
    for (const waiter of this.#waiters.values()) waiter.reject(hashError(message));
    this.#waiters.clear();
    this.#failed.clear();
  }
}

function hashError(message: string): CarcosaError {
  return new CarcosaError('internal_error', { message: `The content could not be hashed: ${message}.` });
}
