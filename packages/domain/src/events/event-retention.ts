import { findEventRetention, type Queryable, removeOldEvents } from '@carcosa/database';
import type { Clock } from '@carcosa/kernel';

/** Events that one statement removes. */
const BATCH = 1000;
const DAY_MS = 24 * 3_600_000;

export interface EventRetentionParts {
  db: Queryable;
  clock: Clock;
}

/**
 * Removes events that are older than the plan of their organization keeps them, with what is known of their deliveries; in small steps,
 * so that nobody waits. For the job `retain-events`.
 * @returns how many events were removed
 */
export async function retainEvents(
  { db, clock }: EventRetentionParts,
  { signal, batch = BATCH }: { signal?: AbortSignal; batch?: number } = {},
): Promise<number> {
  let removed = 0;
  for (const { organizationId, days } of await findEventRetention(db)) {
    const before = clock.now() - days * DAY_MS;
    for (;;) {
      signal?.throwIfAborted();
      const count = await removeOldEvents(db, { organizationId, before, limit: batch });
      removed += count;
      if (count < batch) break;
    }
  }
  return removed;
}
