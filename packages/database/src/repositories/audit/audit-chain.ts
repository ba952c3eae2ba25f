import type { OrganizationId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';
import { AUDIT_COLUMNS, type AuditEntryRow, ENTRIES_AND_SEALS } from './audit-columns.ts';

/** The chain of an organization, or with "" that of the server. */
export interface AuditChain {
  organizationId: string;
  /** Sequence and hash of the last sealed entry. */
  sequence: number;
  hash: Buffer;
  /** Sequence and hash of the last entry that retention removed; 0 and 32 zeros at first. */
  anchorSequence: number;
  anchorHash: Buffer;
}

export interface AuditSeal {
  /** Of the entry. */
  id: number;
  organizationId: string;
  sequence: number;
  hash: Buffer;
}

const CHAIN_COLUMNS = `organization_id as "organizationId", sequence, hash, anchor_sequence as "anchorSequence", anchor_hash as "anchorHash"`;

/** Whether this transaction alone may seal until it ends; false while another one does. */
export async function lockSealing(tx: Queryable): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext('carcosa:audit-sealing')) as locked`,
  );
  return rows[0]?.locked === true;
}

/** The oldest entries that are not sealed yet, of all organizations, in the order in which they were written. */
export async function findUnsealed(db: Queryable, limit: number): Promise<AuditEntryRow[]> {
  const { rows } = await db.query<AuditEntryRow>(
    `select ${AUDIT_COLUMNS} from ${ENTRIES_AND_SEALS} where e.id in (select u.entry_id from audit_unsealed u order by u.entry_id limit $1)
     order by e.id`,
    [limit],
  );
  return rows;
}

/** The chains of these organizations, kept so until the transaction ends. */
export async function holdChains(tx: Queryable, organizationIds: readonly string[]): Promise<AuditChain[]> {
  const { rows } = await tx.query<AuditChain>(
    `select ${CHAIN_COLUMNS} from audit_chains where organization_id = any($1) order by organization_id for update`,
    [organizationIds],
  );
  return rows;
}

/** Gives entries their places, and chains their new ends. */
export async function saveSeals(
  tx: Queryable,
  seals: readonly AuditSeal[],
  chains: readonly AuditChain[],
): Promise<void> {
  await tx.query(
    `with sealed as (delete from audit_unsealed where entry_id = any($1))
     insert into audit_seals (entry_id, organization_id, sequence, hash) select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bytea[])`,
    [
      seals.map(({ id }) => id),
      seals.map(({ organizationId }) => organizationId),
      seals.map(({ sequence }) => sequence),
      seals.map(({ hash }) => hash),
    ],
  );
  await tx.query(
    `insert into audit_chains as c (organization_id, sequence, hash, anchor_sequence, anchor_hash)
     select * from unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[])
     on conflict (organization_id) do update set sequence = excluded.sequence, hash = excluded.hash`,
    [
      chains.map((chain) => chain.organizationId),
      chains.map((chain) => chain.sequence),
      chains.map((chain) => chain.hash),
      chains.map((chain) => chain.anchorSequence),
      chains.map((chain) => chain.anchorHash),
    ],
  );
}

export async function findChain(db: Queryable, organizationId: string): Promise<AuditChain | null> {
  const { rows } = await db.query<AuditChain>(`select ${CHAIN_COLUMNS} from audit_chains where organization_id = $1`, [
    organizationId,
  ]);
  return rows[0] ?? null;
}

/** All organizations that have a chain or an entry, "" among them for what belongs to none. */
export async function findAuditedOrganizations(db: Queryable): Promise<string[]> {
  // From one organization to the next by the index, however many entries there are of each.
  const { rows } = await db.query<{ id: string }>(
    `with recursive entered as (
       (select organization_id as id from audit_entries order by organization_id limit 1)
       union all
       select (select e.organization_id from audit_entries e where e.organization_id > entered.id order by e.organization_id limit 1)
       from entered where entered.id is not null
     )
     select id from entered where id is not null union select organization_id from audit_chains order by id`,
  );
  return rows.map(({ id }) => id);
}

/** Sealed entries of a chain behind `after`, in their order; `after` null: from the first one on, wherever it stands. */
export async function readSealed(
  db: Queryable,
  organizationId: string,
  page: { after: number | null; limit: number },
): Promise<(AuditEntryRow & { sequence: number; hash: Buffer })[]> {
  const { rows } = await db.query<AuditEntryRow & { sequence: number; hash: Buffer }>(
    `select ${AUDIT_COLUMNS} from audit_seals s join audit_entries e on e.id = s.entry_id
     where s.organization_id = $1 and ($2::bigint is null or s.sequence > $2) order by s.sequence limit $3`,
    [organizationId, page.after, page.limit],
  );
  return rows;
}

/** How many entries have no seal, whether they wait for one or somebody took it away. Looks at all of the organization's. */
export async function countUnsealed(db: Queryable, organizationId: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::int as count from audit_entries e
     where e.organization_id = $1 and not exists (select from audit_seals s where s.entry_id = e.id)`,
    [organizationId],
  );
  return rows[0]?.count ?? 0;
}

/** Organizations whose plan says how long entries are kept, with that many days. */
export async function findAuditRetention(db: Queryable): Promise<{ organizationId: OrganizationId; days: number }[]> {
  const { rows } = await db.query<{ organizationId: OrganizationId; days: number }>(
    `select o.id as "organizationId", p.audit_retention_days as days from organizations o join plans p on p.name = o.plan
     where p.audit_retention_days is not null order by o.id`,
  );
  return rows;
}

/** The first `limit` sealed entries behind the anchor, and whether each was written before `before` (ms since the epoch). */
export async function findOldestSealed(
  tx: Queryable,
  chain: AuditChain,
  page: { before: number; limit: number },
): Promise<{ sequence: number; hash: Buffer; isDue: boolean }[]> {
  const { rows } = await tx.query<{ sequence: number; hash: Buffer; isDue: boolean }>(
    `select s.sequence, s.hash, e.at < to_timestamp($3::float8 / 1000) as "isDue" from audit_seals s join audit_entries e on e.id = s.entry_id
     where s.organization_id = $1 and s.sequence > $2 order by s.sequence limit $4`,
    [chain.organizationId, chain.anchorSequence, page.before, page.limit],
  );
  return rows;
}

/**
 * Removes what stands behind the anchor up to `last`, which becomes the anchor. In a transaction that holds the chain.
 * @returns how many entries were removed
 */
export async function removeOldest(
  tx: Queryable,
  chain: AuditChain,
  last: { sequence: number; hash: Buffer },
): Promise<number> {
  await tx.query(`select set_config('carcosa.audit_retention', 'on', true)`);
  const { rowCount } = await tx.query(
    `with gone as (delete from audit_seals where organization_id = $1 and sequence > $2 and sequence <= $3 returning entry_id)
     delete from audit_entries where id = any(array(select entry_id from gone))`,
    [chain.organizationId, chain.anchorSequence, last.sequence],
  );
  await tx.query(`select set_config('carcosa.audit_retention', '', true)`);
  await tx.query('update audit_chains set anchor_sequence = $2, anchor_hash = $3 where organization_id = $1', [
    chain.organizationId,
    last.sequence,
    last.hash,
  ]);
  return rowCount ?? 0;
}
