import type { Queryable } from '../queryable.ts';

/** An event as it lies in the table. */
export interface EventRow {
  position: number;
  id: string;
  type: string;
  /** ISO 8601 in UTC with milliseconds. */
  timestamp: string;
  organizationId: string;
  projectId: string | null;
  tenantId: string | null;
  resourceId: string | null;
  path: string | null;
  data: Record<string, unknown>;
}

/**
 * What an event tells, of the alias `e`: of a file also its address, which is no part of what happened.
 * @param publicUrl the placeholder that holds our public address without a "/" at its end
 */
export function eventData(publicUrl: string): string {
  return `case when e.type like 'file.%' and e.data ? 'key' then e.data || jsonb_build_object('url', ${publicUrl}::text || '/f/' || (e.data->>'key')) else e.data end`;
}

/** The instant of an event of the alias `e`, as the API writes it. */
export const EVENT_TIMESTAMP = `to_char(e.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** The columns of an {@link EventRow}, from the alias `e`. @param publicUrl see {@link eventData} */
export const EVENT_COLUMNS = (publicUrl: string): string =>
  `e.position, e.id, e.type, ${EVENT_TIMESTAMP} as timestamp, e.organization_id as "organizationId", e.project_id as "projectId",
   e.tenant_id as "tenantId", e.resource_id as "resourceId", e.path, ${eventData(publicUrl)} as data`;

/** Which events; every condition that is given must hold. */
export interface EventListing {
  publicUrl: string;
  organizationId: string;
  projectId?: string | undefined;
  tenantId?: string | undefined;
  /** Only files below this folder; "" or absent: everything. */
  pathPrefix?: string | undefined;
  resourceId?: string | undefined;
  /** Absent: all. */
  types?: readonly string[] | undefined;
  /** Milliseconds since the epoch: from `from` on, and before `to`. */
  from?: number | undefined;
  to?: number | undefined;
  /** Where the page before ended: only what is older is listed. */
  after?: number | undefined;
  limit: number;
}

/** By how much the clocks of nodes may differ, with the time that a transaction takes: signatures and tokens fail long before. */
const MAX_SKEW_MS = 3_600_000;

/**
 * The first position at or after an instant, as far as positions rise with time: found by halving, with one look at the primary key each.
 * The planner does not know that they do, and would read everything from the newest event on to find those of a day long ago.
 */
function firstPosition(instant: string): string {
  return `(with recursive halves (low, high) as (
      select coalesce(min(position), 0), coalesce(max(position), 0) + 1 from events
      union all
      select case when found.created_at < ${instant} then found.position + 1 else h.low end,
        case when found.created_at < ${instant} then h.high else middle end
      from halves h, lateral (select (h.low + h.high) / 2 as middle) m,
        lateral (select position, created_at from events where position >= middle order by position limit 1) found
      where h.low < h.high
    ) select max(low) from halves)`;
}

/** At most `limit` events, newest first, by keyset. */
export async function listEvents(db: Queryable, listing: EventListing): Promise<EventRow[]> {
  return (await db.query<EventRow>(listEventsQuery(listing))).rows;
}

export function listEventsQuery(listing: EventListing): { text: string; values: unknown[] } {
  const values: unknown[] = [listing.publicUrl];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const { projectId, tenantId, resourceId, types, from, to, after, pathPrefix = '' } = listing;
  const organization = bind(listing.organizationId);
  const isWhole = projectId === undefined && tenantId === undefined && resourceId === undefined;
  // Of a whole organization not by "=": the planner would take the primary key, and read past all that others did since.
  const conditions = isWhole
    ? [`e.organization_id >= ${organization}`, `e.organization_id <= ${organization}`]
    : [`e.organization_id = ${organization}`];
  if (projectId !== undefined) conditions.push(`e.project_id = ${bind(projectId)}`);
  if (tenantId !== undefined) conditions.push(`e.tenant_id = ${bind(tenantId)}`);
  if (resourceId !== undefined) conditions.push(`e.resource_id = ${bind(resourceId)}`);
  if (types !== undefined) conditions.push(`e.type = any(${bind(types)}::text[])`);
  if (pathPrefix !== '') conditions.push(`starts_with(e.path, ${bind(`${pathPrefix}/`)})`);
  const instant = (value: number): string => `to_timestamp(${bind(value)}::float8 / 1000)`;
  if (from !== undefined)
    conditions.push(`e.created_at >= ${instant(from)}`, `e.position >= ${firstPosition(instant(from - MAX_SKEW_MS))}`);
  if (to !== undefined)
    conditions.push(`e.created_at < ${instant(to)}`, `e.position < ${firstPosition(instant(to + MAX_SKEW_MS))}`);
  if (after !== undefined) conditions.push(`e.position < ${bind(after)}`);
  const text = `select ${EVENT_COLUMNS('$1')} from events e where ${conditions.join(' and ')} order by ${isWhole ? 'e.organization_id desc, ' : ''}e.position desc limit ${bind(listing.limit)}`;
  return { text, values };
}

export async function findEvent(db: Queryable, id: string, publicUrl: string): Promise<EventRow | null> {
  const { rows } = await db.query<EventRow>(`select ${EVENT_COLUMNS('$1')} from events e where e.id = $2`, [
    publicUrl,
    id,
  ]);
  return rows[0] ?? null;
}
