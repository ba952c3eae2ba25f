import type { QuotaMetric } from '@carcosa/contracts';
import type { UploadId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';
import type { Lease } from '../uploads/uploads-repository.ts';

/** Where something is counted. */
export interface CounterKey {
  /** Id of an organization, project or tenant. */
  scopeId: string;
  metric: QuotaMetric;
  /** The month, as 2026-11; "" for what is not counted by month. */
  period: string;
}

export interface QuotaCounter extends CounterKey {
  used: number;
  reserved: number;
}

export interface QuotaCharge extends CounterKey {
  amount: number;
  limit: number;
}

/** How a charge stands in `uploads.quota_scopes`, where the triggers of migration 0005 read it. */
export const chargeEntry = ({ scopeId, metric, period }: CounterKey): string => `${scopeId}:${metric}:${period}`;

/**
 * Adds to what is reserved, in a transaction that has inserted the uploads or changed them already: setting a quota waits for whoever
 * writes to uploads, so that it counts either their rows or what they add here.
 * @returns the counters as they are then; those that no quota is in force for any more are missing
 */
export async function addReservations(
  tx: Queryable,
  charges: readonly QuotaCharge[],
): Promise<(QuotaCounter & { limit: number })[]> {
  const input = JSON.stringify(charges);
  // A month has its counters from the first upload of it.
  if (charges.some(({ period }) => period !== '')) await tx.query(BEGIN_MONTH, [input]);
  await tx.query('select quota_hold($1)', [[...new Set(charges.map(({ scopeId }) => scopeId))]]);
  const { rows } = await tx.query<QuotaCounter & { limit: number }>(RESERVE, [input]);
  return rows;
}

const INPUT = `jsonb_to_recordset($1::jsonb) as n("scopeId" text, metric text, period text, amount bigint, "limit" bigint)`;

const BEGIN_MONTH = `
insert into quota_counters (scope_id, metric, period)
select distinct n."scopeId", n.metric, n.period from ${INPUT}
where n.period <> '' and exists (select from quota_counters c where c.scope_id = n."scopeId" and c.metric = n.metric)
order by 1, 2, 3
on conflict do nothing`;

const RESERVE = `
update quota_counters c set reserved = c.reserved + d.amount
from (
  select n."scopeId", n.metric, n.period, sum(n.amount)::bigint as amount, min(n."limit") as "limit" from ${INPUT} group by 1, 2, 3
) d
where c.scope_id = d."scopeId" and c.metric = d.metric and c.period = d.period
returning c.scope_id as "scopeId", c.metric, c.period, c.used, c.reserved, d."limit"`;

/** Gives back what open uploads have reserved. */
export async function releaseReservations(tx: Queryable, ids: readonly UploadId[]): Promise<void> {
  await tx.query(`update uploads set quota_scopes = null where id = any($1) and status = 'open'`, [ids]);
}

/** Says how long an upload will be, and what is reserved for that. `false`: the lease is lost. */
export async function setReservedLength(
  tx: Queryable,
  id: UploadId,
  lease: Lease,
  { size, entries }: { size: number; entries: readonly string[] },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update uploads set size = $4, quota_scopes = coalesce(quota_scopes, '{}') || $5
     where id = $1 and lease_owner = $2 and lease_fence = $3 and status = 'open' and size is null`,
    [id, lease.owner, lease.fence, size, entries],
  );
  return rowCount === 1;
}

/** Counters of those scopes for things stored now, and for that month. */
export async function findCounters(
  db: Queryable,
  scopeIds: readonly string[],
  period: string,
): Promise<QuotaCounter[]> {
  const { rows } = await db.query<QuotaCounter>({
    name: 'find-quota-counters',
    text: `select scope_id as "scopeId", metric, period, used, reserved from quota_counters
      where scope_id = any($1) and period in ('', $2)`,
    values: [scopeIds, period],
  });
  return rows;
}

/** Adds to what was used in a month, and says what it comes to. Only where a quota is in force. */
export async function addUsed(
  db: Queryable,
  additions: readonly (CounterKey & { amount: number })[],
): Promise<(CounterKey & { used: number })[]> {
  const { rows } = await db.query<CounterKey & { used: number }>(
    `insert into quota_counters as c (scope_id, metric, period, used)
     select n."scopeId", n.metric, n.period, n.amount
     from jsonb_to_recordset($1::jsonb) as n("scopeId" text, metric text, period text, amount bigint)
     where exists (select from quota_counters c where c.scope_id = n."scopeId" and c.metric = n.metric)
     order by n."scopeId", n.metric, n.period
     on conflict (scope_id, metric, period) do update set used = c.used + excluded.used
     returning c.scope_id as "scopeId", c.metric, c.period, c.used`,
    [JSON.stringify(additions)],
  );
  return rows;
}

/**
 * Tells by events which of 80, 90 and 100 percent are used of a limit, those that were not told in this month (migration 0011 does so
 * by itself whenever a counter grows).
 * @param isRefused somebody was: from 90 percent on it counts as used up
 */
export async function warnOfQuota(
  db: Queryable,
  { scopeId, metric, period }: CounterKey,
  { isRefused }: { isRefused: boolean },
): Promise<void> {
  await db.query('select quota_warn($1, $2, $3, $4)', [scopeId, metric, period, isRefused ? 100 : 0]);
}

/** The same for all limits of an organization, project or tenant, when they were changed. */
export async function warnOfQuotas(tx: Queryable, scopeId: string, period: string): Promise<void> {
  const counters = await findCounters(tx, [scopeId], period);
  for (const counter of counters) await warnOfQuota(tx, counter, { isRefused: false });
}
