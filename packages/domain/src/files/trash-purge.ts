import { ProjectSettings } from '@carcosa/contracts';
import { lockDueTrash, type Queryable, removeFiles } from '@carcosa/database';
import type { Clock } from '@carcosa/kernel';

/** Files that one transaction removes. */
const BATCH = 500;

export interface TrashPurgeParts {
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
}

/**
 * Purges, in all projects, what has been in the trash for longer than the project keeps it (`trashRetentionDays`). For the job
 * `purge-trash`. Any number of processes may run it at once, and it may be ended between two batches.
 * @returns the number of files
 */
export async function purgeTrash(
  { transaction, clock }: TrashPurgeParts,
  { signal }: { signal?: AbortSignal } = {},
): Promise<number> {
  const { trashRetentionDays: retentionDays } = ProjectSettings.parse({});
  let purged = 0;
  for (;;) {
    signal?.throwIfAborted();
    const batch = await transaction(async (tx) => {
      const ids = await lockDueTrash(tx, { now: clock.now(), retentionDays, limit: BATCH });
      if (ids.length > 0) await removeFiles(tx, ids, clock.now());
      return ids.length;
    });
    purged += batch;
    if (batch < BATCH) return purged;
  }
}
