import type { Queryable } from '../queryable.ts';

export interface LedgerEntry {
  /** A part of the statement with `project_id`, `tenant_id`, `bucket_id`, `created_by`, `size` and `at` of each content of a file. */
  from: string;
  /** Whether the contents come or go. */
  sign: 1 | -1;
  /** Whether they were uploaded, and not copied or restored. */
  isUpload: boolean;
}

/**
 * The statement that writes down what files added or took away, one row for all that is alike; to stand as a part of the statement
 * that changes them. Whatever makes, copies, restores, moves or removes contents of files must have it: else nobody pays for them.
 */
export function ledgerEntry({ from, sign, isUpload }: LedgerEntry): string {
  const uploads = isUpload ? 'count(*), sum(c.size)' : '0, 0';
  const change = sign > 0 ? 'c.size' : '-c.size';
  return `insert into usage_ledger (day, project_id, tenant_id, bucket_id, key_id, uploads, bytes_in, stored_bytes, byte_seconds)
  select (c.at at time zone 'utc')::date, c.project_id, c.tenant_id, c.bucket_id,
    case when starts_with(c.created_by, 'key_') then c.created_by else '' end, ${uploads}, sum(${change}),
    sum(${change} * (86400 - extract(epoch from (c.at at time zone 'utc')::time)::float8))
  from ${from} c group by 1, 2, 3, 4, 5`;
}

/** As it was written down, or counted: what adds to a day. */
const SUMS = ['uploads', 'bytes_in', 'stored_bytes', 'byte_seconds'];
export const DIMENSIONS = 'day, project_id, tenant_id, bucket_id, key_id';

/**
 * Brings `usage_daily` up to what files added and took away until now: gives each day that has begun what was stored at its
 * beginning, and folds the ledger. Call it in a transaction; whoever comes second waits, and finds little to do.
 * @param now milliseconds since the epoch
 */
export async function foldUsage(tx: Queryable, now: number): Promise<void> {
  const { rows } = await tx.query<{ opened: string; target: string }>(
    `select to_char(opened_day, 'YYYY-MM-DD') as opened,
       to_char(greatest(opened_day, (to_timestamp($1::float8 / 1000) at time zone 'utc')::date), 'YYYY-MM-DD') as target
     from usage_state for update`,
    [now],
  );
  const [state] = rows;
  if (!state) throw new Error('usage_state has no row');
  if (state.opened !== state.target) await tx.query(OPEN_DAYS, [state.opened, state.target]);
  await tx.query({ name: 'fold_usage', text: FOLD, values: [state.target] });
}

const add = (columns: readonly string[]): string =>
  columns.map((column) => `${column} = d.${column} + excluded.${column}`).join(', ');

const OPEN_DAYS = `
with state as (
  update usage_state set opened_day = $2::date
)
insert into usage_daily as d (${DIMENSIONS}, organization_id, opening_bytes)
select day::date, s.project_id, s.tenant_id, s.bucket_id, s.key_id, coalesce(p.organization_id, ''), s.bytes
from usage_stored s left join projects p on p.id = s.project_id,
  generate_series($1::date + 1, $2::date, interval '1 day') day
where s.bytes <> 0
order by 2, 1, 3, 4, 5
on conflict (${DIMENSIONS}) do update set ${add(['opening_bytes'])}`;

// What comes late, of a day whose successors are opened already, was stored when they began.
const FOLD = `
with taken as (
  delete from usage_ledger where day <= $1::date returning *
), changed as (
  select ${DIMENSIONS}, ${SUMS.map((name) => `sum(${name}) as ${name}`).join(', ')} from taken group by ${DIMENSIONS}
), kept as (
  insert into usage_stored as s (project_id, tenant_id, bucket_id, key_id, bytes)
  select project_id, tenant_id, bucket_id, key_id, sum(stored_bytes) from changed group by 1, 2, 3, 4 having sum(stored_bytes) <> 0 order by 1, 2, 3, 4
  on conflict (project_id, tenant_id, bucket_id, key_id) do update set bytes = s.bytes + excluded.bytes
), days as (
  select ${DIMENSIONS}, ${SUMS.join(', ')}, 0 as opening_bytes from changed
  union all
  select later::date, project_id, tenant_id, bucket_id, key_id, 0, 0, 0, 0, stored_bytes
  from changed, generate_series(day + 1, $1::date, interval '1 day') later where stored_bytes <> 0
)
insert into usage_daily as d (${DIMENSIONS}, organization_id, ${SUMS.join(', ')}, opening_bytes)
select n.day, n.project_id, n.tenant_id, n.bucket_id, n.key_id, coalesce(p.organization_id, ''),
  ${SUMS.map((name) => `sum(n.${name})`).join(', ')}, sum(n.opening_bytes)
from days n left join projects p on p.id = n.project_id
group by 1, 2, 3, 4, 5, 6 order by 2, 1, 3, 4, 5
on conflict (${DIMENSIONS}) do update set ${add([...SUMS, 'opening_bytes'])}`;

/** What a process has counted of something since it told it last. */
export interface CountedUsage {
  projectId: string;
  tenantId: string;
  bucketId: string;
  keyId: string;
  downloads: number;
  bytesOut: number;
  transforms: number;
  transformMs: number;
  apiCalls: number;
}

export interface UsageFlush {
  /** Of the process. */
  instance: string;
  /** One more with each flush of the process. */
  sequence: number;
  /** Milliseconds since the epoch. */
  now: number;
  counted: readonly CountedUsage[];
}

/** Adds what a process has counted to its day, all or nothing; a flush that was there already changes nothing. */
export async function flushUsage(db: Queryable, { instance, sequence, now, counted }: UsageFlush): Promise<void> {
  await db.query({ name: 'flush_usage', text: FLUSH, values: [instance, sequence, now, JSON.stringify(counted)] });
}

const COUNTS = ['downloads', 'bytes_out', 'transforms', 'transform_ms', 'api_calls'];

const FLUSH = `
with turn as (
  insert into usage_flushes as f (instance, sequence, flushed_at) values ($1, $2, to_timestamp($3::float8 / 1000))
  on conflict (instance) do update set sequence = excluded.sequence, flushed_at = excluded.flushed_at where f.sequence < excluded.sequence
  returning instance
)
insert into usage_daily as d (${DIMENSIONS}, organization_id, ${COUNTS.join(', ')})
select (to_timestamp($3::float8 / 1000) at time zone 'utc')::date, n."projectId", n."tenantId", n."bucketId", n."keyId", p.organization_id,
  n.downloads, n."bytesOut", n.transforms, n."transformMs", n."apiCalls"
from turn, jsonb_to_recordset($4::jsonb) as n("projectId" text, "tenantId" text, "bucketId" text, "keyId" text, downloads bigint,
  "bytesOut" bigint, transforms bigint, "transformMs" bigint, "apiCalls" bigint)
join projects p on p.id = n."projectId"
order by 2, 1, 3, 4, 5
on conflict (${DIMENSIONS}) do update set ${add(COUNTS)}`;

/** Forgets processes that have flushed nothing since that instant, in milliseconds since the epoch. */
export async function dropOldFlushes(db: Queryable, before: number): Promise<void> {
  await db.query('delete from usage_flushes where flushed_at < to_timestamp($1::float8 / 1000)', [before]);
}

/** Removes days before that one (as 2026-11-21), at most `limit` rows. Gives how many. */
export async function removeUsageBefore(db: Queryable, day: string, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from usage_daily where ctid = any(array(select ctid from usage_daily where day < $1::date order by day limit $2))`,
    [day, limit],
  );
  return rowCount ?? 0;
}
