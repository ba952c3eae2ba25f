import { ProjectSettings } from '@carcosa/contracts';
import { lockDueTrash, type Queryable, recordAudit, removeFiles } from '@carcosa/database';
import type { Clock } from '@carcosa/kernel';
import { SYSTEM } from '../access/actor.ts';
import { auditEntry } from '../audit/audit-entry.ts';

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
      const files = await lockDueTrash(tx, { now: clock.now(), retentionDays, limit: BATCH });
      if (files.length === 0) return 0;
      await removeFiles(
        tx,
        files.map(({ id }) => id),
        clock.now(),
      );
      const entries = files.map(({ id, projectId, tenantId, ...before }) => {
        const place = { projectId, tenantId };
        return auditEntry(SYSTEM, { action: 'file.purge', resource: { type: 'file', id }, place, before }, clock);
      });
      await recordAudit(tx, entries);
      return files.length;
    });
    purged += batch;
    if (batch < BATCH) return purged;
  }
}
