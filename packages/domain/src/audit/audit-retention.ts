import {
  findAuditRetention,
  findOldestSealed,
  holdChains,
  type Queryable,
  recordAudit,
  removeOldest,
} from '@carcosa/database';
import type { Clock, OrganizationId } from '@carcosa/kernel';
import { SYSTEM } from '../access/actor.ts';
import { auditEntry } from './audit-entry.ts';

/** Entries that one transaction removes. */
const BATCH = 1000;
const DAY_MS = 24 * 3600 * 1000;

export interface AuditRetentionParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  /** For what belongs to no organization; absent: for ever. */
  serverDays?: number | undefined;
}

/**
 * Removes what is older than the plan of its organization keeps (or, of the server's own, `serverDays`), from the beginning of the chain and without a gap: the hash of the
 * last entry that went becomes the anchor of the rest, which verifies as before. What was removed is itself recorded. For the job
 * `retain-audit`.
 * @returns how many entries were removed
 */
export async function retainAudit(
  parts: AuditRetentionParts,
  { signal, batch = BATCH }: { signal?: AbortSignal; batch?: number } = {},
): Promise<number> {
  let removed = 0;
  const ofServer = parts.serverDays === undefined ? [] : [{ organizationId: '' as const, days: parts.serverDays }];
  for (const { organizationId, days } of [...ofServer, ...(await findAuditRetention(parts.db))]) {
    const before = parts.clock.now() - days * DAY_MS;
    for (;;) {
      signal?.throwIfAborted();
      const count = await parts.transaction((tx) => removeBatch(tx, parts.clock, { organizationId, before, batch }));
      removed += count;
      if (count < batch) break;
    }
  }
  return removed;
}

interface Due {
  organizationId: OrganizationId | '';
  /** Milliseconds since the epoch. */
  before: number;
  batch: number;
}

async function removeBatch(tx: Queryable, clock: Clock, { organizationId, before, batch }: Due): Promise<number> {
  const [chain] = await holdChains(tx, [organizationId]);
  if (!chain) return 0;
  const oldest = await findOldestSealed(tx, chain, { before, limit: batch });
  // Up to the first one that is to stay: the chain must not get a gap.
  const kept = oldest.findIndex(({ isDue }) => !isDue);
  const due = kept === -1 ? oldest : oldest.slice(0, kept);
  const last = due.at(-1);
  // A gap is the work of somebody else: verification must still find it.
  if (!last || last.sequence !== chain.anchorSequence + due.length) return 0;
  const count = await removeOldest(tx, chain, last);
  const after = { removed: count, upTo: last.sequence, hash: last.hash.toString('hex') };
  const resource = organizationId === '' ? undefined : ({ type: 'organization', id: organizationId } as const);
  await recordAudit(tx, [
    auditEntry(SYSTEM, { action: 'audit.retain', resource, place: { organizationId }, after }, clock),
  ]);
  return count;
}
