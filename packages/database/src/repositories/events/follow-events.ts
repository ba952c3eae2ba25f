import type { Queryable } from '../queryable.ts';
import { EVENT_COLUMNS, type EventRow } from './list-events.ts';

/** Positions from `from` to `to`, both included. */
export interface PositionRange {
  from: number;
  to: number;
}

/** An event with the team whose project it happened in, if any. */
export interface FollowedEvent extends EventRow {
  teamId: string | null;
}

/** What one look for new events saw. */
export interface EventLook {
  rows: FollowedEvent[];
  /** By the snapshot of the look: all transactions below have ended, and none from `nextTransaction` on had begun to write. */
  oldestTransaction: bigint;
  nextTransaction: bigint;
}

/** No position is larger. */
export const LAST_POSITION = Number.MAX_SAFE_INTEGER;

const bounds = (ranges: readonly PositionRange[]) => [ranges.map(({ from }) => from), ranges.map(({ to }) => to)];

/** At most `limit` events of everybody whose positions lie in the ranges, by position. */
export async function lookForEvents(
  db: Queryable,
  { ranges, limit, publicUrl }: { ranges: readonly PositionRange[]; limit: number; publicUrl: string },
): Promise<EventLook> {
  type Row = FollowedEvent & { oldest: string; next: string; position: number | null };
  const { rows } = await db.query<Row>({
    name: 'look_for_events',
    text: `select pg_snapshot_xmin(s.snapshot)::text as oldest, pg_snapshot_xmax(s.snapshot)::text as next, f.*
      from (select pg_current_snapshot() as snapshot) s left join (
        select ${EVENT_COLUMNS('$4')}, p.team_id as "teamId"
        from unnest($1::bigint[], $2::bigint[]) as r(lowest, highest) join events e on e.position between r.lowest and r.highest
        left join projects p on p.id = e.project_id
        order by e.position limit $3
      ) f on true order by f.position`,
    values: [...bounds(ranges), limit, publicUrl],
  });
  const [first] = rows;
  return {
    rows: rows.filter((row) => row.position !== null),
    oldestTransaction: BigInt(first?.oldest ?? 0),
    nextTransaction: BigInt(first?.next ?? 0),
  };
}

/** Where events happened. Of a team: in its projects. */
export interface EventPlace {
  column: 'organization_id' | 'project_id' | 'tenant_id' | 'team_id';
  id: string;
}

/** At most `limit` events in the ranges that happened in one of the places, by position. */
export async function readEventsAt(
  db: Queryable,
  options: { ranges: readonly PositionRange[]; places: readonly EventPlace[]; limit: number; publicUrl: string },
): Promise<FollowedEvent[]> {
  const { ranges, places, limit, publicUrl } = options;
  if (ranges.length === 0 || places.length === 0) return [];
  const values: unknown[] = [...bounds(ranges), limit, publicUrl];
  const parts = places.map(({ column, id }) => {
    const placeholder = `$${values.push(id)}`;
    const isThere =
      column === 'team_id'
        ? `e.project_id in (select p.id from projects p where p.team_id = ${placeholder})`
        : `e.${column} = ${placeholder}`;
    return `(select e.position from unnest($1::bigint[], $2::bigint[]) as r(lowest, highest)
      join events e on e.position between r.lowest and r.highest and ${isThere} order by e.position limit $3)`;
  });
  const { rows } = await db.query<FollowedEvent>(
    `select ${EVENT_COLUMNS('$4')}, p.team_id as "teamId" from events e left join projects p on p.id = e.project_id
     where e.position in (${parts.join(' union ')}) order by e.position limit $3`,
    values,
  );
  return rows;
}

/** The position of an event; null when there is none with that id. */
export async function findEventPosition(db: Queryable, id: string): Promise<number | null> {
  const { rows } = await db.query<{ position: number }>('select position from events where id = $1', [id]);
  return rows[0]?.position ?? null;
}

/** The largest position, and those among the `depth` before it that nobody sees: they may still be committed. */
export async function currentPosition(db: Queryable, depth: number): Promise<{ upTo: number; gaps: PositionRange[] }> {
  const { rows } = await db.query<{ upTo: number; from: number | null; to: number | null }>(
    `with newest as (select coalesce(max(position), 0) as position from events), near as (
       select e.position, lag(e.position) over (order by e.position) as former
       from events e, newest n where e.position > n.position - $1
     )
     select n.position as "upTo", g.former + 1 as "from", g.position - 1 as "to"
     from newest n left join near g on g.position > g.former + 1 order by g.position`,
    [depth],
  );
  const gaps = rows.flatMap(({ from, to }) => (from === null || to === null ? [] : [{ from, to }]));
  return { upTo: rows[0]?.upTo ?? 0, gaps };
}
