import { type CounterKey, type Queryable, warnOfQuota } from '@carcosa/database';
import type { Logger } from '@carcosa/kernel';

/** Milliseconds for which refusals are gathered here. */
const FLUSH_MS = 2_000;

export interface RefusedQuotasParts {
  db: Queryable;
  logger: Logger;
}

/**
 * Tells of quotas that have refused somebody, as `quota.exceeded`, where they are nearly used up: the transaction that was refused is
 * rolled back and can tell nothing.
 */
export class RefusedQuotas {
  readonly #parts: RefusedQuotasParts;
  readonly #refused = new Map<string, CounterKey>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: RefusedQuotasParts) {
    this.#parts = parts;
  }

  note(counter: CounterKey): void {
    this.#refused.set(`${counter.scopeId} ${counter.metric} ${counter.period}`, counter);
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const refused = [...this.#refused.values()];
    this.#refused.clear();
    for (const counter of refused) {
      try {
        await warnOfQuota(this.#parts.db, counter, { isRefused: true });
      } catch (error) {
        // Whoever is refused next tells it.
        this.#parts.logger.warn({ err: error, ...counter }, 'could not tell that a quota is used up');
      }
    }
  }
}
