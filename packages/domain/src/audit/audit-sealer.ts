import {
  type AuditChain,
  type AuditEntryRow,
  type AuditSeal,
  findUnsealed,
  holdChains,
  lockSealing,
  type Queryable,
  saveSeals,
} from '@carcosa/database';
import { auditHash, CHAIN_START } from './audit-link.ts';

/** Entries that one transaction seals. */
const BATCH = 1000;

export interface AuditSealerParts {
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
}

/**
 * Seals what was written since the last time: each entry gets the next place in the chain of its organization, and a hash that
 * covers it and all before it. For the job `seal-audit`; of several at once, one works and the others leave at once.
 *
 * Entries are chained in the order in which they are seen, not of their ids: one that was written first may be committed last.
 * @returns how many were sealed
 */
export async function sealAudit(
  { transaction }: AuditSealerParts,
  { signal, batch = BATCH }: { signal?: AbortSignal; batch?: number } = {},
): Promise<number> {
  let sealed = 0;
  for (;;) {
    signal?.throwIfAborted();
    const count = await transaction((tx) => sealBatch(tx, batch));
    sealed += count;
    if (count < batch) return sealed;
  }
}

async function sealBatch(tx: Queryable, limit: number): Promise<number> {
  if (!(await lockSealing(tx))) return 0;
  const entries = await findUnsealed(tx, limit);
  if (entries.length === 0) return 0;
  const held = await holdChains(tx, [...new Set(entries.map((entry) => entry.organizationId))]);
  const chains = new Map(held.map((chain) => [chain.organizationId, chain]));
  const seals = entries.map((entry) => append(chains, entry));
  await saveSeals(tx, seals, [...chains.values()]);
  return entries.length;
}

/** Puts an entry at the end of its chain. */
function append(chains: Map<string, AuditChain>, entry: AuditEntryRow): AuditSeal {
  const { organizationId } = entry;
  const chain = chains.get(organizationId) ?? newChain(organizationId);
  const sequence = chain.sequence + 1;
  const hash = auditHash(chain.hash, entry, sequence);
  chains.set(organizationId, { ...chain, sequence, hash });
  return { id: entry.id, organizationId, sequence, hash };
}

function newChain(organizationId: string): AuditChain {
  return { organizationId, sequence: 0, hash: CHAIN_START, anchorSequence: 0, anchorHash: CHAIN_START };
}
