import { dropOldFlushes, foldUsage, type Queryable, removeUsageBefore } from '@carcosa/database';
import type { Clock } from '@carcosa/kernel';
import { DAY_MS, dayOf } from './usage-scope.ts';

/** Rows that one statement removes. */
const BATCH = 10_000;

export interface UsageJobParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
}

/** For the job `fold-usage`: see `foldUsage`. */
export async function foldUsageNow({ transaction, clock }: UsageJobParts): Promise<void> {
  await transaction((tx) => foldUsage(tx, clock.now()));
}

/**
 * Removes days that are older than usage is kept, and what ended processes left.
 * @param days from 32 on: the month before is still to be billed
 * @returns how many rows were removed
 */
export async function retainUsage(
  { db, clock, days }: UsageJobParts & { days: number | undefined },
  { signal, batch = BATCH }: { signal?: AbortSignal; batch?: number } = {},
): Promise<number> {
  await dropOldFlushes(db, clock.now() - DAY_MS);
  if (days === undefined) return 0;
  const before = dayOf(clock.now() - days * DAY_MS);
  let removed = 0;
  for (;;) {
    signal?.throwIfAborted();
    const count = await removeUsageBefore(db, before, batch);
    removed += count;
    if (count < batch) return removed;
  }
}
