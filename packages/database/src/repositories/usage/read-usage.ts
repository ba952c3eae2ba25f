import type { UsageFigures } from '@carcosa/contracts';
import type { OrganizationId, ProjectId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** What usage is asked for: of an organization, of a project of it, of a tenant of that. */
export interface UsageScope {
  organizationId: OrganizationId;
  projectId?: ProjectId | undefined;
  tenantId?: string | undefined;
  /** Days in UTC as 2026-11-21, both included. */
  from: string;
  to: string;
}

/** What usage can be told apart by. */
export const USAGE_GROUPS = {
  all: `''`,
  day: `to_char(u.day, 'YYYY-MM-DD')`,
  month: `to_char(u.day, 'YYYY-MM')`,
  project: 'u.project_id',
  tenant: 'u.tenant_id',
  bucket: 'u.bucket_id',
  key: 'u.key_id',
} as const;
export type UsageGroup = keyof typeof USAGE_GROUPS;

export interface UsageReading extends UsageScope {
  by: UsageGroup;
  /** Largest first by that; null: by the value. */
  sort: keyof UsageFigures | null;
  /** The last of the page before. */
  after?: { rank: number; value: string } | undefined;
  limit: number;
  /** Milliseconds since the epoch: of today, only what was stored until then counts. */
  now: number;
}

export interface UsageRow {
  value: string;
  /** Of the metric that it is sorted by; 0 without. */
  rank: number;
  /** What was used, by month as 2026-11: each may have other prices. */
  months: Record<string, UsageFigures>;
}

/** Byte-hours of a day: what was stored when it began for as long as it lasts, and what came and went from its instant on. */
const BYTE_HOURS = `sum(u.opening_bytes * t.elapsed + u.byte_seconds - u.stored_bytes * (86400 - t.elapsed)) / 3600`;

const FIGURES: Record<keyof UsageFigures, string> = {
  uploads: 'sum(u.uploads)',
  downloads: 'sum(u.downloads)',
  bytesIn: 'sum(u.bytes_in)',
  bytesOut: 'sum(u.bytes_out)',
  transforms: 'sum(u.transforms)',
  transformSeconds: 'sum(u.transform_ms) / 1000',
  apiCalls: 'sum(u.api_calls)',
  // Clocks of two nodes differ by a little.
  storageByteHours: `round(greatest(${BYTE_HOURS}, 0)::numeric, 3)`,
};
const NAMES = Object.keys(FIGURES) as (keyof UsageFigures)[];

/** The seconds of a row's day that are over, as `t.elapsed`; days to come are left out. */
const elapsed = (now: string): string => `cross join lateral (
    select least(extract(epoch from (to_timestamp(${now}::float8 / 1000) at time zone 'utc') - u.day), 86400)::float8 as elapsed
  ) t`;

/** Usage by what it is to be told apart by, each with its months. */
export async function readUsage(db: Queryable, reading: UsageReading): Promise<UsageRow[]> {
  return (await db.query<UsageRow>(readUsageQuery(reading))).rows;
}

export function readUsageQuery(reading: UsageReading): { text: string; values: unknown[] } {
  const { by, sort, after, limit, now } = reading;
  const values: unknown[] = [now];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const where = conditions(reading, bind);
  const rank = sort === null ? '0' : `sum("${sort}")`;
  const rest =
    after === undefined
      ? ''
      : `where rank < ${bind(after.rank)}::float8 or (rank = ${bind(after.rank)}::float8 and value > ${bind(after.value)})`;
  const text = `
with monthly as (
  select ${USAGE_GROUPS[by]} collate "C" as value, to_char(u.day, 'YYYY-MM') as month,
    ${NAMES.map((name) => `(${FIGURES[name]})::float8 as "${name}"`).join(', ')}
  from usage_daily u ${elapsed('$1')} where ${where} group by 1, 2
), grouped as (
  select value, ${rank}::float8 as rank,
    json_object_agg(month, json_build_object(${NAMES.map((name) => `'${name}', "${name}"`).join(', ')})) as months
  from monthly group by value
)
select value, rank, months from grouped ${rest} order by rank desc, value limit ${bind(limit)}`;
  return { text, values };
}

/** On the index of a project or organization, by day. */
function conditions(scope: UsageScope & { now: number }, bind: (value: unknown) => string): string {
  const { organizationId, projectId, tenantId, from, to } = scope;
  return [
    projectId === undefined ? `u.organization_id = ${bind(organizationId)}` : `u.project_id = ${bind(projectId)}`,
    ...(tenantId === undefined ? [] : [`u.tenant_id = ${bind(tenantId)}`]),
    `u.day between ${bind(from)}::date and ${bind(to)}::date`,
    `u.day <= (to_timestamp($1::float8 / 1000) at time zone 'utc')::date`,
  ].join(' and ');
}

/** A row of an export: what one key used of one bucket for one tenant on one day. */
export interface UsageLine extends UsageFigures {
  day: string;
  projectId: string;
  tenantId: string;
  bucketId: string;
  keyId: string;
}

export interface UsageExport extends UsageScope {
  after?: UsageLine | undefined;
  limit: number;
  now: number;
}

/** At most `limit` rows in the order of days, by keyset: a page far back costs what the first one costs. */
export async function exportUsage(db: Queryable, exported: UsageExport): Promise<UsageLine[]> {
  return (await db.query<UsageLine>(exportUsageQuery(exported))).rows;
}

export function exportUsageQuery(exported: UsageExport): { text: string; values: unknown[] } {
  const { after, limit, now } = exported;
  const values: unknown[] = [now];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const where = [conditions(exported, bind)];
  const key = 'u.day, u.project_id, u.tenant_id, u.bucket_id, u.key_id';
  if (after)
    where.push(
      `(${key}) > (${bind(after.day)}::date, ${[after.projectId, after.tenantId, after.bucketId, after.keyId].map(bind).join(', ')})`,
    );
  const columns = NAMES.map((name) => `(${FIGURES[name].replaceAll('sum', '')})::float8 as "${name}"`).join(', ');
  const text = `select to_char(u.day, 'YYYY-MM-DD') as day, u.project_id as "projectId", u.tenant_id as "tenantId", u.bucket_id as "bucketId",
    u.key_id as "keyId", ${columns}
  from usage_daily u ${elapsed('$1')} where ${where.join(' and ')} order by ${key} limit ${bind(limit)}`;
  return { text, values };
}

/** What people call projects, tenants, buckets or keys with those ids. */
export async function findUsageNames(
  db: Queryable,
  by: 'project' | 'tenant' | 'bucket' | 'key',
  ids: readonly string[],
): Promise<Map<string, string>> {
  const [table, name] = {
    project: ['projects', 'name'],
    tenant: ['tenants', 'name'],
    bucket: ['buckets', 'name'],
    key: ['api_keys', 'label'],
  }[by];
  const { rows } = await db.query<{ id: string; name: string }>(
    `select id, ${name} as name from ${table} where id = any($1)`,
    [ids],
  );
  return new Map(rows.map((row) => [row.id, row.name]));
}

/** Bytes that are stored now, as far as the ledger is folded. */
export async function findStoredBytes(db: Queryable, scope: UsageScope): Promise<number> {
  const { organizationId, projectId, tenantId } = scope;
  const { rows } = await db.query<{ bytes: number }>(
    `select coalesce(sum(bytes), 0)::float8 as bytes from usage_stored
     where project_id in (select id from projects where organization_id = $1 and ($2::text is null or id = $2)) and ($3::text is null or tenant_id = $3)`,
    [organizationId, projectId ?? null, tenantId ?? null],
  );
  return Math.max(0, rows[0]?.bytes ?? 0);
}
