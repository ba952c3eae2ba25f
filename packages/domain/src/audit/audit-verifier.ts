import type { AuditVerification } from '@carcosa/contracts';
import {
  type AuditChain,
  countUnsealed,
  findAuditedOrganizations,
  findChain,
  type Queryable,
  readSealed,
} from '@carcosa/database';
import { auditHash, CHAIN_START } from './audit-link.ts';

/** Entries that are read at once. */
const BATCH = 1000;

export interface AuditVerifierParts {
  db: Queryable;
  /** Runs `work` on one unchanging view of the database (repeatable read). */
  snapshot<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
}

type Problem = NonNullable<AuditVerification['problem']>;

/** Verifies every chain, one after the other. */
export async function* verifyAllAudit(
  parts: AuditVerifierParts,
  options: { signal?: AbortSignal } = {},
): AsyncGenerator<AuditVerification> {
  for (const organizationId of await findAuditedOrganizations(parts.db))
    yield await verifyAudit(parts, organizationId, options);
}

/**
 * Computes all hashes of a chain anew and compares them with what is stored, from the anchor to the end that the chain is known to
 * have. Finds an entry that was changed, removed, added or moved; memory does not grow with the chain. What waits to be sealed is
 * counted, and not yet protected.
 */
export async function verifyAudit(
  { snapshot }: Pick<AuditVerifierParts, 'snapshot'>,
  organizationId: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<AuditVerification> {
  return await snapshot(async (tx) => {
    const stored = await findChain(tx, organizationId);
    const chain = stored ?? emptyChain(organizationId);
    const { entries, problem } = await follow(tx, chain, signal);
    return {
      organizationId: organizationId === '' ? null : organizationId,
      isWhole: problem === null,
      entries,
      unsealed: await countUnsealed(tx, organizationId),
      anchorSequence: chain.anchorSequence,
      sequence: chain.sequence,
      hash: chain.hash.toString('hex'),
      problem,
    };
  });
}

/** Goes along a chain up to its first broken link. */
async function follow(
  tx: Queryable,
  chain: AuditChain,
  signal: AbortSignal | undefined,
): Promise<{ entries: number; problem: Problem | null }> {
  let { anchorSequence: sequence, anchorHash: hash } = chain;
  let entries = 0;
  for (let after: number | null = null; ; after = sequence) {
    signal?.throwIfAborted();
    const batch = await readSealed(tx, chain.organizationId, { after, limit: BATCH });
    for (const entry of batch) {
      const broken = (reason: string) => ({
        entries,
        problem: { sequence: entry.sequence, entryId: entry.id, reason },
      });
      if (entry.sequence <= sequence) return broken('stands before the beginning of the chain');
      if (entry.sequence > chain.sequence) return broken('stands behind the end of the chain');
      if (entry.sequence !== sequence + 1) return { entries, problem: missing(sequence + 1, entry.sequence - 1) };
      hash = auditHash(hash, entry, entry.sequence);
      if (!hash.equals(entry.hash)) return broken('was changed, or the one before it was');
      sequence = entry.sequence;
      entries += 1;
    }
    if (batch.length < BATCH) break;
  }
  if (sequence < chain.sequence) return { entries, problem: missing(sequence + 1, chain.sequence) };
  const isEnd = hash.equals(chain.hash);
  return { entries, problem: isEnd ? null : { sequence, entryId: null, reason: 'is not the end that the chain had' } };
}

function missing(from: number, to: number): Problem {
  const reason = from === to ? 'is missing' : `is missing, with all up to ${to}`;
  return { sequence: from, entryId: null, reason };
}

function emptyChain(organizationId: string): AuditChain {
  return { organizationId, sequence: 0, hash: CHAIN_START, anchorSequence: 0, anchorHash: CHAIN_START };
}

/** The end of a chain as it once was; "" for the server. */
export interface AuditHead {
  organizationId: string;
  sequence: number;
  hash: Buffer;
}

/**
 * Whether a chain still has the end that it once had, which shows also what somebody did who computed all of it anew. `removed`: by
 * retention; then it cannot be said, but for the very last that went.
 */
export async function holdsAuditHead(db: Queryable, head: AuditHead): Promise<'held' | 'lost' | 'removed'> {
  const { organizationId, sequence, hash } = head;
  const chain = await findChain(db, organizationId);
  if (!chain) return 'lost';
  if (sequence < chain.anchorSequence) return 'removed';
  if (sequence === chain.anchorSequence) return chain.anchorHash.equals(hash) ? 'held' : 'lost';
  const [entry] = await readSealed(db, organizationId, { after: sequence - 1, limit: 1 });
  return entry?.sequence === sequence && entry.hash.equals(hash) ? 'held' : 'lost';
}
