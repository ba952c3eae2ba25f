import { ARRIVALS_CHANNEL, type ArrivalRow, type Queryable, takeArrivals } from '@carcosa/database';
import type { Logger } from '@carcosa/kernel';
import type { Notifications } from '../notifications.ts';

export interface ArrivalWorkerParts {
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  notifications: Notifications;
  logger: Logger;
  /** Makes the jobs for a content that has come, in the transaction that takes it off the list. */
  handle(tx: Queryable, arrival: ArrivalRow): Promise<void>;
  pollMs?: number;
}

/** Contents that one transaction makes jobs for. */
const BATCH = 50;
/** Milliseconds between looks for what was announced while nobody listened. */
const POLL_MS = 10_000;

/** Turns contents that have come into jobs: any number of processes may do so, and each content is taken once. */
export class ArrivalWorker {
  readonly #parts: ArrivalWorkerParts;
  #end: () => void = () => {};
  #round: Promise<void> | undefined;
  #isWoken = false;
  #isClosed = false;

  constructor(parts: ArrivalWorkerParts) {
    this.#parts = parts;
  }

  start(): void {
    const unsubscribe = this.#parts.notifications.subscribe(ARRIVALS_CHANNEL, () => this.wake());
    const poll = setInterval(() => this.wake(), this.#parts.pollMs ?? POLL_MS).unref();
    this.#end = () => {
      unsubscribe();
      clearInterval(poll);
    };
    this.wake();
  }

  /** Looks for what has come: at once, or again after the look that is under way. */
  wake(): void {
    if (this.#isClosed) return;
    this.#isWoken = true;
    this.#round ??= this.#rounds().finally(() => {
      this.#round = undefined;
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#end();
    await this.#round;
  }

  async #rounds(): Promise<void> {
    try {
      while (this.#isWoken && !this.#isClosed) {
        this.#isWoken = false;
        for (let hasMore = true; hasMore && !this.#isClosed; ) hasMore = await this.#take();
      }
    } catch (error) {
      // The next look tries again.
      this.#parts.logger.warn({ err: error }, 'contents that have come could not be looked after');
    }
  }

  /** @returns whether there may be more */
  async #take(): Promise<boolean> {
    const { transaction, handle } = this.#parts;
    return await transaction(async (tx) => {
      const { arrivals, hasMore } = await takeArrivals(tx, BATCH);
      for (const arrival of arrivals) await handle(tx, arrival);
      return hasMore;
    });
  }
}
