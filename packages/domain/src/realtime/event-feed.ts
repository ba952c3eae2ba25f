import { setImmediate } from 'node:timers/promises';
import type { Event } from '@carcosa/contracts';
import {
  currentPosition,
  type FollowedEvent,
  LAST_POSITION,
  lookForEvents,
  type Queryable,
  WEBHOOKS_CHANNEL,
} from '@carcosa/database';
import type { Logger } from '@carcosa/kernel';
import type { Notifications } from '../notifications.ts';
import { afterSeeing, encodeSeen, type Seen } from './seen.ts';

/** Milliseconds between two looks while somebody follows. */
const EVERY_MS = 100;
/** Most events that one look reads. */
const BATCH = 500;
/** How many positions back a feed that begins looks for transactions that are still under way. */
const DEPTH = 10_000;
/** Most recent events that are kept for those who catch up. */
const RING = 2_000;
/**
 * Milliseconds after which others have their turn: an event may go to thousands of clients. Not fewer, because what goes out in one turn is written
 * together: with a turn for each event, 2,000 clients cost six times as much.
 */
const TURN_MS = 200;
/** Milliseconds after which a gap whose transaction cannot be running any more is taken for empty. */
const GAP_MS = 2_000;

/** An event as it goes out. */
export interface FedEvent {
  row: FollowedEvent;
  event: Event;
  /** Where whoever was told all events up to this one, in the order of the feed, goes on. */
  cursor: string;
}

export interface EventFeedParts {
  db: Queryable;
  notifications: Notifications;
  logger: Logger;
  publicUrl: string;
}

/** An event as clients see it. */
export function eventOf({ position: _, path: __, teamId: ___, ...event }: FollowedEvent): Event {
  return event;
}

/** When a gap was noticed: by `performance.now()`, and the transaction from which on none can fill it. */
interface Noticed {
  at: number;
  before: bigint;
}

/**
 * Follows the events of the database, of everybody, as they are committed: each once, those of one file in their order. It looks only while
 * somebody wants to know. What is committed late with a smaller position is found because positions that were passed over are looked for until
 * the transactions that may have taken them have ended.
 */
export class EventFeed {
  readonly #parts: EventFeedParts;
  readonly #listeners = new Set<(event: FedEvent) => void>();
  readonly #ring: FedEvent[] = [];
  /** How many events have gone out before the first of the ring. */
  #dropped = 0;
  #seen: Seen | undefined;
  /** By the last position of each gap. */
  readonly #gaps = new Map<number, Noticed>();
  #wanted = 0;
  #timer: NodeJS.Timeout | undefined;
  #look: Promise<void> | undefined;
  #unsubscribe: (() => void) | undefined;
  #hasFailed = false;

  constructor(parts: EventFeedParts) {
    this.#parts = parts;
  }

  /** What has gone out so far. Only while the feed is wanted, and after {@link fresh}. */
  get seen(): Seen {
    if (!this.#seen) throw new Error('the feed has not begun');
    return this.#seen;
  }

  /** How many events have gone out so far: marks a place for {@link since}. */
  get count(): number {
    return this.#dropped + this.#ring.length;
  }

  /** What went out after a mark; null when that is so long ago that it is not kept. */
  since(mark: number): readonly FedEvent[] | null {
    return mark < this.#dropped ? null : this.#ring.slice(mark - this.#dropped);
  }

  /** Calls `listener` with each event that goes out while the feed is wanted. @returns ends that */
  listen(listener: (event: FedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Keeps the feed going until the returned function is called. */
  want(): () => void {
    this.#wanted += 1;
    if (this.#wanted === 1) this.#begin();
    let isWanted = true;
    return () => {
      if (!isWanted) return;
      isWanted = false;
      this.#wanted -= 1;
      if (this.#wanted === 0) this.#end();
    };
  }

  /** Looks, after the call. @throws the error of the database */
  async fresh(): Promise<void> {
    await this.#look?.catch(() => {});
    await this.#lookNow();
  }

  async close(): Promise<void> {
    this.#wanted = 0;
    this.#end();
    await this.#look?.catch(() => {});
  }

  #begin(): void {
    this.#timer = setInterval(() => this.#wake(), EVERY_MS).unref();
    // Where there is a webhook, whoever writes an event says so.
    this.#unsubscribe = this.#parts.notifications.subscribe(WEBHOOKS_CHANNEL, () => this.#wake());
  }

  /** Nobody will be told of what happens from now on, so whoever comes next begins anew. */
  #end(): void {
    clearInterval(this.#timer);
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#seen = undefined;
    this.#gaps.clear();
    this.#dropped += this.#ring.length;
    this.#ring.length = 0;
  }

  #wake(): void {
    if (this.#look) return;
    this.#lookNow().then(
      () => {
        this.#hasFailed = false;
      },
      (error: unknown) => {
        // The next look tries again, from the same place.
        if (!this.#hasFailed) this.#parts.logger.warn({ err: error }, 'events cannot be followed at present');
        this.#hasFailed = true;
      },
    );
  }

  #lookNow(): Promise<void> {
    this.#look ??= this.#readAll().finally(() => {
      this.#look = undefined;
    });
    return this.#look;
  }

  async #readAll(): Promise<void> {
    while (this.#wanted > 0 && (await this.#read()) === BATCH) {
      // There may be more.
    }
  }

  async #read(): Promise<number> {
    const { db, publicUrl } = this.#parts;
    const seen = this.#seen ?? (await currentPosition(db, DEPTH));
    const ranges = [...seen.gaps, { from: seen.upTo + 1, to: LAST_POSITION }];
    const look = await lookForEvents(db, { ranges, limit: BATCH, publicUrl });
    if (this.#wanted === 0) return 0;
    this.#seen = seen;
    let turnAt = performance.now();
    for (const row of look.rows) {
      this.#emit(row);
      if (performance.now() - turnAt < TURN_MS) continue;
      await setImmediate();
      turnAt = performance.now();
      // Nobody wants to know any more.
      if (!this.#seen) return 0;
    }
    this.#closeGaps(look.oldestTransaction, look.nextTransaction);
    return look.rows.length;
  }

  #emit(row: FollowedEvent): void {
    this.#seen = afterSeeing(this.seen, row.position);
    const fed = { row, event: eventOf(row), cursor: encodeSeen(this.#seen) };
    this.#ring.push(fed);
    if (this.#ring.length > RING) this.#dropped += this.#ring.splice(0, RING / 4).length;
    for (const listener of this.#listeners) listener(fed);
  }

  /** Takes for empty what no running transaction can fill any more: it was rolled back. */
  #closeGaps(oldest: bigint, next: bigint): void {
    const { upTo, gaps } = this.seen;
    if (gaps.length === 0) {
      this.#gaps.clear();
      return;
    }
    const now = performance.now();
    const open = gaps.filter(({ to }) => {
      const noticed = this.#gaps.get(to) ?? { at: now, before: next };
      this.#gaps.set(to, noticed);
      return oldest < noticed.before || now - noticed.at < GAP_MS;
    });
    const ends = new Set(open.map(({ to }) => to));
    for (const to of this.#gaps.keys()) if (!ends.has(to)) this.#gaps.delete(to);
    this.#seen = { upTo, gaps: open };
  }
}
