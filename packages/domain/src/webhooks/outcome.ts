import type { DueDelivery, NewAttempt, WebhookHealthRow, WebhookRow } from '@carcosa/database';
import type { Random } from '@carcosa/kernel';
import { breakerPause, DISABLE_AFTER, retryAfter, retryDelay } from './schedule.ts';
import type { WebhookAnswer } from './sender.ts';

/** "Gone": the receiver wants nothing any more. */
const GONE = 410;
/** The receiver as a whole asks to wait, not for one event. */
const ASKS_TO_WAIT: ReadonlySet<number | null> = new Set([429, 503]);

/** What becomes of a delivery after an attempt. */
export function attemptOf(
  { id, attempts }: DueDelivery,
  url: string,
  answer: WebhookAnswer,
  random: Random,
): NewAttempt {
  const number = attempts + 1;
  const record = { ...answer, deliveryId: id, number, url };
  const end = answer.at + answer.durationMs;
  if (answer.error === null) return { ...record, state: 'delivered', nextAt: end };
  const delay = retryDelay(number, random);
  if (delay === null) return { ...record, state: 'failed', nextAt: end };
  const asked = retryAfter(answer.responseHeaders?.['retry-after'], end) ?? 0;
  return { ...record, state: 'pending', nextAt: end + Math.max(delay, asked) };
}

/** How a webhook is, kept by whoever sends to it. */
export class WebhookHealth {
  #row: WebhookHealthRow;

  constructor(row: WebhookRow) {
    this.#row = {
      consecutiveFailures: row.consecutiveFailures,
      failingSince: row.failingSince?.getTime() ?? null,
      lastSuccessAt: row.lastSuccessAt?.getTime() ?? null,
      pausedUntil: row.pausedUntil?.getTime() ?? null,
    };
  }

  get row(): WebhookHealthRow {
    return this.#row;
  }

  /** After failures in a row only one request at a time goes out, until one succeeds. */
  get isDoubtful(): boolean {
    return breakerPause(this.#row.consecutiveFailures) > 0;
  }

  isPaused(now: number): boolean {
    return this.#row.pausedUntil !== null && this.#row.pausedUntil > now;
  }

  /** Counts an attempt. @returns why the webhook is to be switched off; null for most */
  count({ at, durationMs, status, error, responseHeaders }: WebhookAnswer): string | null {
    const end = at + durationMs;
    if (error === null) {
      this.#row = { consecutiveFailures: 0, failingSince: null, lastSuccessAt: end, pausedUntil: null };
      return null;
    }
    const { failingSince, consecutiveFailures, pausedUntil } = this.#row;
    const since = failingSince ?? at;
    const asked = ASKS_TO_WAIT.has(status) ? (retryAfter(responseHeaders?.['retry-after'], end) ?? 0) : 0;
    // Those that were under way when the pause began are no further sign.
    const failures = this.isPaused(at) || (pausedUntil ?? 0) > end ? consecutiveFailures : consecutiveFailures + 1;
    const pause = failures === consecutiveFailures ? 0 : breakerPause(failures);
    const wait = Math.max(pause, asked);
    this.#row = {
      ...this.#row,
      consecutiveFailures: failures,
      failingSince: since,
      pausedUntil: wait > 0 ? Math.max(pausedUntil ?? 0, end + wait) : pausedUntil,
    };
    if (status === GONE) return 'The receiver answered 410: it is gone.';
    return end - since >= DISABLE_AFTER ? 'The receiver has failed for five days.' : null;
  }
}
