import {
  disableWebhook,
  fanOutEvents,
  lockFanOut,
  type Queryable,
  renewLanes,
  takeLanes,
  WEBHOOKS_CHANNEL,
  type WebhookRow,
} from '@carcosa/database';
import type { WebhookId } from '@carcosa/kernel';
import { SYSTEM } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import type { Notifications } from '../notifications.ts';
import { type LaneParts, WebhookLane } from './webhook-lane.ts';
import type { WebhookNotice } from './webhook-notice.ts';

/** Events that one transaction turns into deliveries. */
const FAN_OUT_BATCH = 500;
/** Webhooks that one process sends to at once. */
const MAX_LANES = 200;
/** Milliseconds between looks for what has become due; what is new is announced. */
const POLL_MS = 2_000;
/** Milliseconds between words that we still send; a lane lapses after 15 s. */
const RENEW_MS = 5_000;
/** Milliseconds that requests under way get when the process stops. */
const DRAIN_MS = 3_000;

export interface WebhookWorkerParts extends Omit<LaneParts, 'disable'> {
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  notifications: Notifications;
  notice: WebhookNotice;
  pollMs?: number;
}

/**
 * Turns events into deliveries and sends them: any number of processes may do so. Each webhook is sent to by one of them at a time (its
 * lane); a process that dies loses its lanes after 15 s, and what it had not recorded is sent again with the same id.
 */
export class WebhookWorker {
  readonly #parts: WebhookWorkerParts;
  readonly #lanes = new Map<WebhookId, WebhookLane>();
  readonly #running = new Set<Promise<void>>();
  readonly #ends: (() => void)[] = [];
  #round: Promise<void> | undefined;
  #isWoken = false;
  #isClosed = false;

  constructor(parts: WebhookWorkerParts) {
    this.#parts = parts;
  }

  start(): void {
    const { notifications, pollMs = POLL_MS } = this.#parts;
    this.#ends.push(
      notifications.subscribe(WEBHOOKS_CHANNEL, ({ changed }) => {
        if (changed !== undefined) void this.#renew();
        this.wake();
      }),
    );
    const poll = setInterval(() => this.wake(), pollMs).unref();
    const renewal = setInterval(() => void this.#renew(), RENEW_MS).unref();
    this.#ends.push(
      () => clearInterval(poll),
      () => clearInterval(renewal),
    );
    this.wake();
  }

  /** Looks for what is to be done: at once, or again after the look that is under way. */
  wake(): void {
    if (this.#isClosed) return;
    for (const lane of this.#lanes.values()) lane.wake();
    this.#isWoken = true;
    this.#round ??= this.#rounds().finally(() => {
      this.#round = undefined;
    });
  }

  /** Waits shortly for what is under way, then leaves it to others. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const end of this.#ends) end();
    await this.#round;
    for (const lane of this.#lanes.values()) lane.end();
    const cut = setTimeout(() => {
      for (const lane of this.#lanes.values()) lane.abort();
    }, DRAIN_MS);
    await Promise.all(this.#running);
    clearTimeout(cut);
    await this.#parts.sender.close();
  }

  async #rounds(): Promise<void> {
    try {
      while (this.#isWoken && !this.#isClosed) {
        this.#isWoken = false;
        // Sending begins with the first events, not when all that wait are deliveries.
        for (let hasMore = true; hasMore; ) {
          hasMore = await this.#fanOut();
          for (const lane of this.#lanes.values()) lane.wake();
          await this.#takeLanes();
        }
      }
    } catch (error) {
      // The next look tries again.
      this.#parts.logger.warn({ err: error }, 'webhooks could not be looked after');
    }
  }

  /** @returns whether there may be more */
  async #fanOut(): Promise<boolean> {
    const { transaction, clock } = this.#parts;
    const taken = await transaction(async (tx) =>
      (await lockFanOut(tx)) ? await fanOutEvents(tx, FAN_OUT_BATCH, clock.now()) : 0,
    );
    return taken === FAN_OUT_BATCH && !this.#isClosed;
  }

  async #takeLanes(): Promise<void> {
    const { db, instance, clock } = this.#parts;
    const max = MAX_LANES - this.#lanes.size;
    if (max <= 0 || this.#isClosed) return;
    for (const row of await takeLanes(db, { owner: instance, now: clock.now(), max })) {
      if (this.#lanes.has(row.id)) continue;
      const running = this.#runLane(row).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
  }

  async #runLane(row: WebhookRow): Promise<void> {
    const { logger } = this.#parts;
    const lane = new WebhookLane({ ...this.#parts, disable: (...reason) => this.#disable(...reason) }, row);
    this.#lanes.set(row.id, lane);
    try {
      await lane.run();
    } catch (error) {
      logger.error({ err: error, webhookId: row.id }, 'a webhook cannot be sent to');
    } finally {
      this.#lanes.delete(row.id);
    }
    // What came while it ended was told to it, and not looked for.
    if (lane.wasWoken && !lane.hasStopped) this.wake();
  }

  /** Keeps our lanes, makes them follow changes, and ends those that are not ours any more. */
  async #renew(): Promise<void> {
    const lanes = [...this.#lanes];
    if (lanes.length === 0) return;
    try {
      const { db, instance } = this.#parts;
      const kept = new Map((await renewLanes(db, instance, [...this.#lanes.keys()])).map((row) => [row.id, row]));
      for (const [id, lane] of lanes) {
        const row = kept.get(id);
        if (row) await lane.refresh(row);
        else lane.end();
      }
    } catch (error) {
      this.#parts.logger.warn({ err: error }, 'the lanes of webhooks could not be kept');
    }
  }

  async #disable(row: WebhookRow, reason: string): Promise<void> {
    const { transaction, clock, notice } = this.#parts;
    const { id, organizationId, projectId } = row;
    const isDone = await transaction(async (tx) => {
      if (!(await disableWebhook(tx, id, reason, new Date(clock.now())))) return false;
      const resource = { type: 'webhook', id } as const;
      await record(tx, clock, SYSTEM, {
        ...{ action: 'webhook.disable', resource, place: { organizationId, projectId } },
        after: { enabled: false, reason },
      });
      return true;
    });
    if (isDone) await notice.disabled(row, reason);
  }
}
