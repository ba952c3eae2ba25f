import {
  listSealedOtherwise,
  type Queryable,
  replaceSealed,
  SEALED_COLUMNS,
  type SealedColumn,
} from '@carcosa/database';
import { isCarcosaError } from '@carcosa/kernel';
import type { Sealer } from './sealer.ts';

const BATCH = 100;

export interface ResealReport {
  /** Secrets that were sealed with an older key and are now sealed with the newest. */
  resealed: number;
  /** Secrets that no key opens, with what to do. They stay as they are. */
  failed: { kind: string; id: string; problem: string }[];
}

/**
 * Seals every stored secret with the newest key that is not yet. May run beside nodes that serve, as long as they have the newest key
 * too, may be ended at any moment, and may run again: it goes on with what is left.
 * @param batch secrets that are read at a time
 */
export async function resealAll(parts: { db: Queryable; sealer: Sealer; batch?: number }): Promise<ResealReport> {
  const report: ResealReport = { resealed: 0, failed: [] };
  for (const column of SEALED_COLUMNS) await resealColumn(parts, column, report);
  return report;
}

async function resealColumn(
  { db, sealer, batch = BATCH }: Parameters<typeof resealAll>[0],
  column: SealedColumn,
  report: ResealReport,
): Promise<void> {
  let after = '';
  for (;;) {
    const rows = await listSealedOtherwise(db, column, { header: sealer.newestHeader, after, limit: batch });
    for (const { id, sealed } of rows) {
      const owner = { kind: column.kind, id };
      try {
        const resealed = await sealer.seal(await sealer.open(sealed, owner), owner);
        // Whoever has changed it meanwhile has sealed it with a newest key of its own.
        if (await replaceSealed(db, column, { id, sealed, resealed })) report.resealed += 1;
      } catch (error) {
        if (!isCarcosaError(error, 'configuration_invalid')) throw error;
        report.failed.push({ ...owner, problem: error.message });
      }
      after = id;
    }
    if (rows.length < batch) return;
  }
}
