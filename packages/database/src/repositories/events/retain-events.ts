import type { OrganizationId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** Organizations whose plan keeps events for so many days only. */
export async function findEventRetention(db: Queryable): Promise<{ organizationId: OrganizationId; days: number }[]> {
  const { rows } = await db.query<{ organizationId: OrganizationId; days: number }>(
    `select o.id as "organizationId", p.event_retention_days as days from organizations o join plans p on p.name = o.plan
     where p.event_retention_days is not null order by o.id`,
  );
  return rows;
}

export interface OldEvents {
  organizationId: OrganizationId;
  /** Milliseconds since the epoch. */
  before: number;
  limit: number;
}

/** Removes the oldest events of an organization with their deliveries; what is still to be delivered stays. Gives how many events. */
export async function removeOldEvents(db: Queryable, old: OldEvents): Promise<number> {
  return (await db.query(removeOldEventsQuery(old))).rowCount ?? 0;
}

export function removeOldEventsQuery({ organizationId, before, limit }: OldEvents): {
  text: string;
  values: unknown[];
} {
  const text = `
with oldest as (
  -- Not "=": the planner would take the primary key, and with each batch read past more events that others keep.
  select position, created_at from events where organization_id >= $1 and organization_id <= $1 order by organization_id, position limit $3
), due as (
  select o.position from oldest o where o.created_at < to_timestamp($2::float8 / 1000)
    and not exists (select from event_queue q where q.position = o.position)
    and not exists (select from webhook_deliveries d where d.event_position = o.position and d.state = 'pending')
), forgotten as (
  delete from webhook_deliveries where event_position = any(array(select position from due))
)
delete from events where position = any(array(select position from due))`;
  return { text, values: [organizationId, before, limit] };
}
