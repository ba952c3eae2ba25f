import { CarcosaError } from '@carcosa/kernel';
import type { LoadLimits } from './load-config.ts';

export const WORKS = ['upload', 'transform'] as const;
/** What costs memory and time as long as it is under way. */
export type Work = (typeof WORKS)[number];
export const SHED_REASONS = ['count', 'memory', 'event-loop'] as const;
export type ShedReason = (typeof SHED_REASONS)[number];

/** Seconds after which somebody who was sent away may come again. */
const RETRY_AFTER = 2;
/** Milliseconds between two looks at the event loop, and for which one at the memory is good. */
const LOOP_EVERY_MS = 500;
const MEMORY_FOR_MS = 100;
/** What is left of a delay after each look: one stall is forgotten within seconds, many are not. */
const DECAY = 0.7;

export interface LoadGuardParts {
  limits: LoadLimits;
  /** Milliseconds that only go forward. */
  now?: () => number;
  /** Bytes of resident memory. */
  memory?: () => number;
}

/**
 * Sends new expensive work away while the process has as much as it can hold, before memory runs out: what is under way ends. Cheap
 * requests never ask it, and where nothing expensive is under way, one is always let in: waiting would free nothing then.
 */
export class LoadGuard {
  readonly inFlight: Record<Work, number> = { upload: 0, transform: 0 };
  /** What was sent away, by what it was and why. */
  readonly shed: Record<Work, Record<ShedReason, number>> = {
    upload: { count: 0, memory: 0, 'event-loop': 0 },
    transform: { count: 0, memory: 0, 'event-loop': 0 },
  };
  readonly limits: LoadLimits;
  readonly #now: () => number;
  readonly #memory: () => number;
  readonly #timer: NodeJS.Timeout;
  #expectedAt: number;
  #delay = 0;
  #resident = { bytes: 0, at: Number.NEGATIVE_INFINITY };

  constructor({ limits, now = () => performance.now(), memory = () => process.memoryUsage.rss() }: LoadGuardParts) {
    this.limits = limits;
    this.#now = now;
    this.#memory = memory;
    this.#expectedAt = now() + LOOP_EVERY_MS;
    this.#timer = setInterval(() => this.look(), LOOP_EVERY_MS).unref();
  }

  /** Milliseconds that the event loop was late, of late. */
  get delayMs(): number {
    return this.#delay;
  }

  /** What makes the process send new work away now; null: nothing. */
  get pressure(): Exclude<ShedReason, 'count'> | null {
    if (this.#residentBytes() > this.limits.memory) return 'memory';
    return this.#delay > this.limits.eventLoopDelayMs ? 'event-loop' : null;
  }

  /** New work begins; call {@link end} when it has ended, however. @throws CarcosaError `overloaded` */
  begin(work: Work): void {
    const reason = this.#refusal(work);
    if (reason !== null) {
      this.shed[work][reason] += 1;
      throw new CarcosaError('overloaded', { retryAfter: RETRY_AFTER, details: { reason } });
    }
    this.inFlight[work] += 1;
  }

  /** Work that was begun before goes on: it is counted, and never sent away. */
  goOn(work: Work): void {
    this.inFlight[work] += 1;
  }

  end(work: Work): void {
    this.inFlight[work] -= 1;
  }

  /** Sees how late the timer is: what waits for the event loop waits as long. */
  look(): void {
    const now = this.#now();
    const late = Math.max(0, now - this.#expectedAt);
    this.#delay = Math.max(late, this.#delay * DECAY);
    this.#expectedAt = now + LOOP_EVERY_MS;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #refusal(work: Work): ShedReason | null {
    const limit = work === 'upload' ? this.limits.uploads : this.limits.transforms;
    if (this.inFlight[work] >= limit) return 'count';
    return this.inFlight.upload + this.inFlight.transform > 0 ? this.pressure : null;
  }

  #residentBytes(): number {
    const now = this.#now();
    if (now - this.#resident.at >= MEMORY_FOR_MS) this.#resident = { bytes: this.#memory(), at: now };
    return this.#resident.bytes;
  }
}
