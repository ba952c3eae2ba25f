import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type DueDelivery,
  findDue,
  type NewAttempt,
  type Queryable,
  recordAttempts,
  releaseLane,
  type WebhookRow,
} from '@carcosa/database';
import type { Clock, Logger, Random } from '@carcosa/kernel';
import type { Sealer } from '../secrets/sealer.ts';
import { GroupCommit } from '../uploads/group-commit.ts';
import { attemptOf, WebhookHealth } from './outcome.ts';
import type { WebhookSender } from './sender.ts';
import { type OpenedSecrets, openSecrets, signingSecrets } from './webhook-secrets.ts';

/** Requests to one webhook that are under way at once. */
export const LANE_CONCURRENCY = 16;
/** Deliveries that are read at a time: bounds what is in memory, however many wait. */
const BATCH = 128;
/** Attempts that one statement records. */
const RECORD_BATCH = 128;
/** Deliveries that are being sent, or were and are not recorded yet. */
const MAX_IN_FLIGHT = 256;

export interface LaneParts {
  db: Queryable;
  clock: Clock;
  random: Random;
  logger: Logger;
  sealer: Sealer;
  sender: WebhookSender;
  publicUrl: string;
  instance: string;
  /** Switches the webhook off. */
  disable(row: WebhookRow, reason: string): Promise<void>;
}

/**
 * Sends what is due for one webhook, as long as something is. Nobody else sends to it meanwhile, so the limits of the webhook are kept
 * here, in memory; a receiver that hangs holds up its own lane alone.
 */
export class WebhookLane {
  readonly #parts: LaneParts;
  readonly #stop = new AbortController();
  readonly #inFlight = new Map<string, Promise<void>>();
  readonly #queue: DueDelivery[] = [];
  readonly #health: WebhookHealth;
  /** Attempts that end while others are being recorded share the next statement. */
  readonly #records: GroupCommit<NewAttempt, undefined>;
  #row: WebhookRow;
  #secrets: OpenedSecrets | undefined;
  #isEnding = false;
  #sending = 0;
  #changed: () => void = () => {};
  #nextSend = 0;
  /** Whether something may be due that was not seen yet. */
  #mayHaveMore = true;

  constructor(parts: LaneParts, row: WebhookRow) {
    this.#parts = parts;
    this.#row = row;
    this.#health = new WebhookHealth(row);
    setMaxListeners(2 * LANE_CONCURRENCY, this.#stop.signal);
    const run = async (attempts: NewAttempt[]): Promise<undefined[]> => {
      await recordAttempts(parts.db, row.id, attempts, this.#health.row);
      return attempts.map(() => undefined);
    };
    this.#records = new GroupCommit({ run, maxItems: RECORD_BATCH });
  }

  /** There may be something new. */
  wake(): void {
    this.#mayHaveMore = true;
  }

  /** Whether it was woken and has not looked since. */
  get wasWoken(): boolean {
    return this.#mayHaveMore;
  }

  /** Whether it stopped before all was sent: paused, ended, or by a fault. Then the next poll looks again. */
  get hasStopped(): boolean {
    return this.#isEnding || this.#health.isPaused(this.#parts.clock.now());
  }

  /** Takes over what was changed: address, secrets, limits. */
  async refresh(row: WebhookRow): Promise<void> {
    const isChanged = row.updatedAt.getTime() !== this.#row.updatedAt.getTime();
    this.#row = row;
    if (isChanged) this.#secrets = await openSecrets(this.#parts.sealer, row);
  }

  /** Begins nothing more. */
  end(): void {
    this.#isEnding = true;
  }

  /** Gives up what is under way too: it is sent again, with the same id. */
  abort(): void {
    this.#isEnding = true;
    this.#stop.abort();
  }

  /** Resolves when nothing is due any more, or it was ended. */
  async run(): Promise<void> {
    const { db, instance, sealer } = this.#parts;
    try {
      this.#secrets = await openSecrets(sealer, this.#row);
      await this.#sendAll();
    } catch (error) {
      this.#isEnding = true;
      throw error;
    } finally {
      await Promise.allSettled(this.#inFlight.values());
      await releaseLane(db, instance, this.#row.id);
    }
  }

  async #sendAll(): Promise<void> {
    while (!this.#isEnding) {
      if (this.#health.isPaused(this.#parts.clock.now())) return;
      if (this.#isBusy) {
        await this.#change();
        continue;
      }
      const next = this.#queue.shift() ?? (await this.#findMore());
      if (next) await this.#begin(next);
      else if (this.#inFlight.size > 0) await this.#change();
      else if (!this.#mayHaveMore) return;
    }
  }

  async #findMore(): Promise<DueDelivery | undefined> {
    if (!this.#mayHaveMore) return undefined;
    // First: whatever comes while it is being read is looked for again.
    this.#mayHaveMore = false;
    const { db, clock, publicUrl } = this.#parts;
    const except = [...this.#inFlight.keys()];
    const found = await findDue(db, {
      ...{ webhookId: this.#row.id, now: clock.now(), except, limit: BATCH, publicUrl },
    });
    if (found.length === BATCH) this.#mayHaveMore = true;
    this.#queue.push(...found);
    return this.#queue.shift();
  }

  async #begin(delivery: DueDelivery): Promise<void> {
    await this.#keepRate();
    if (this.#isEnding) return;
    const sent = this.#send(delivery).finally(() => {
      this.#inFlight.delete(delivery.id);
      this.#changed();
    });
    this.#inFlight.set(delivery.id, sent);
  }

  /** Spreads requests over the second. */
  async #keepRate(): Promise<void> {
    const { rateLimit } = this.#row;
    if (rateLimit === null) return;
    const now = performance.now();
    this.#nextSend = Math.max(this.#nextSend, now) + 1000 / rateLimit;
    const wait = this.#nextSend - 1000 / rateLimit - now;
    if (wait > 0) await delay(wait, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  async #send(delivery: DueDelivery): Promise<void> {
    const { sender, random, logger, disable, clock } = this.#parts;
    const { url } = this.#row;
    const secrets = this.#secrets ? signingSecrets(this.#secrets, clock.now()) : [];
    const request = { url, secrets, id: delivery.eventId, body: delivery.body };
    try {
      this.#sending += 1;
      const answer = await sender.send({ ...request, signal: this.#stop.signal }).finally(() => {
        this.#sending -= 1;
        this.#changed();
      });
      const reason = this.#health.count(answer);
      await this.#records.submit(attemptOf(delivery, url, answer, random));
      // What waited for this one may be due now.
      this.#mayHaveMore = true;
      if (reason === null || this.#isEnding) return;
      this.#isEnding = true;
      await disable(this.#row, reason);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      // It stays due, and is sent again with the same id: here the database did not answer.
      this.#isEnding = true;
      logger.warn({ err: error, webhookId: this.#row.id }, 'an attempt at a webhook could not be recorded');
    }
  }

  /** While attempts are recorded, others are sent; but nothing goes out before it is known how a doubtful receiver did. */
  get #isBusy(): boolean {
    if (this.#health.isDoubtful) return this.#inFlight.size > 0;
    return this.#sending >= LANE_CONCURRENCY || this.#inFlight.size >= MAX_IN_FLIGHT;
  }

  /** Resolves when a request has been answered or recorded. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }
}
