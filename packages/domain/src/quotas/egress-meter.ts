import { addUsed, findCounters, type Queryable, type ServedFileRow } from '@carcosa/database';
import type { Clock, Logger } from '@carcosa/kernel';
import { monthOf } from './month.ts';
import { quotaExceeded } from './quotas.ts';

/** Milliseconds for which bytes are counted here before the database is told. */
const FLUSH_MS = 2_000;

export interface EgressMeterParts {
  db: Queryable;
  clock: Clock;
  logger: Logger;
}

/** A quota that a file's downloads count against. */
export interface EgressLimit {
  /** Id of an organization, project or tenant. */
  scopeId: string;
  /** Bytes a month. */
  limit: number;
}

/** What limits the downloads of a file; empty for most. */
export function egressLimits(file: ServedFileRow): EgressLimit[] {
  const { organizationEgress, projectEgress, tenantEgress } = file;
  if (organizationEgress === null && projectEgress === null && tenantEgress === null) return NONE;
  const limits = [
    [file.organizationId, organizationEgress],
    [file.projectId, projectEgress],
    [file.tenantId, tenantEgress],
  ] as const;
  return limits.flatMap(([scopeId, limit]) => (limit === null ? [] : [{ scopeId, limit }]));
}

const NONE: EgressLimit[] = [];

interface Metered {
  readonly scopeId: string;
  period: string;
  /** As the database had it last, with what all nodes have told it. */
  used: number;
  /** Not told yet. */
  pending: number;
}

/**
 * Counts what goes out where a quota limits it, and refuses from what it remembers: a read never waits for it. So a month's quota can
 * be passed by what all nodes send within {@link FLUSH_MS}, and by the answers that are under way when it is reached.
 */
export class EgressMeter {
  readonly #parts: EgressMeterParts;
  readonly #metered = new Map<string, Metered>();
  /** Of months that are over, with what is not told yet. */
  #past: Metered[] = [];
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(parts: EgressMeterParts) {
    this.#parts = parts;
  }

  /** @throws CarcosaError `quota_exceeded` when one of them is used up */
  admit(limits: readonly EgressLimit[]): void {
    for (const { scopeId, limit } of limits) {
      const { used, pending } = this.#meter(scopeId);
      if (used + pending >= limit) throw quotaExceeded({ scopeId, metric: 'egressBytes', limit, used: used + pending });
    }
  }

  /** Counts bytes that were sent. */
  count(limits: readonly EgressLimit[], bytes: number): void {
    if (bytes <= 0 || limits.length === 0) return;
    for (const { scopeId } of limits) this.#meter(scopeId).pending += bytes;
    this.#arm();
  }

  /** Tells the database what was counted, and learns what all nodes have. One after the other. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#flush());
    return this.#flushing;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.flush();
  }

  #meter(scopeId: string): Metered {
    const { period } = monthOf(this.#parts.clock.now());
    const known = this.#metered.get(scopeId);
    if (known?.period === period) return known;
    if (known && known.pending > 0) this.#past.push(known);
    const metered = { scopeId, period, used: 0, pending: 0 };
    this.#metered.set(scopeId, metered);
    void this.#learn(scopeId, metered);
    return metered;
  }

  async #learn(scopeId: string, metered: Metered): Promise<void> {
    try {
      const counters = await findCounters(this.#parts.db, [scopeId], metered.period);
      const found = counters.find(({ metric, period }) => metric === 'egressBytes' && period === metered.period);
      metered.used = Math.max(metered.used, found?.used ?? 0);
    } catch (error) {
      // The next flush learns it.
      this.#parts.logger.warn({ err: error, scopeId }, 'could not read how much of an egress quota is used');
    }
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const told = [...this.#past, ...this.#metered.values()].filter(({ pending }) => pending > 0);
    if (told.length === 0) return;
    const additions = told.map(({ scopeId, period, pending }) => {
      return { scopeId, metric: 'egressBytes' as const, period, amount: pending };
    });
    try {
      const counted = await addUsed(this.#parts.db, additions);
      this.#past = this.#past.filter((each) => !told.includes(each));
      told.forEach((metered, index) => {
        metered.pending -= additions[index]?.amount ?? 0;
        const now = counted.find((each) => each.scopeId === metered.scopeId && each.period === metered.period);
        if (now) metered.used = now.used;
        // A quota that was lifted meanwhile is counted no more.
        else if (this.#metered.get(metered.scopeId) === metered) this.#metered.delete(metered.scopeId);
      });
    } catch (error) {
      this.#parts.logger.warn({ err: error }, 'could not save how much of egress quotas is used; it is tried again');
      this.#arm();
    }
  }
}
