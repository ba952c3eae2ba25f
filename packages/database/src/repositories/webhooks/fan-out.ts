import type { WebhookId } from '@carcosa/kernel';
import { WEBHOOKS_CHANNEL } from '../events/event-queue.ts';
import type { Queryable } from '../queryable.ts';

/** Whether this transaction alone may turn events into deliveries until it ends: two at once could break the order of one file. */
export async function lockFanOut(tx: Queryable): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext('carcosa:event-fan-out')) as locked`,
  );
  return rows[0]?.locked === true;
}

/** What is delivered one after the other. */
const ORDER_KEY = 'coalesce(e.resource_id, e.id)';
/** A webhook is not told what is done to it: it may tell others. */
const NOT_ABOUT_ITSELF = 'e.resource_id is distinct from w.id';

/**
 * Takes the first `limit` events of the queue and makes their deliveries. In a transaction that holds {@link lockFanOut}.
 * What must wait for another delivery of the same thing is not due before that one is.
 * @param now milliseconds since the epoch
 * @returns how many events were taken
 */
export async function fanOutEvents(tx: Queryable, limit: number, now: number): Promise<number> {
  const { rows } = await tx.query<{ taken: number }>({
    name: 'fan-out-events',
    text: `
with taken as (
  delete from event_queue where position in (select position from event_queue order by position limit $1) returning position
), made as (
  insert into webhook_deliveries (id, webhook_id, event_position, order_key, state, next_at, created_at)
  select carcosa_id('dlv', $2), m.* from (
    select w.id, e.position, ${ORDER_KEY} as order_key, 'pending', greatest($2::timestamptz, (
      select d.next_at from webhook_deliveries d where d.webhook_id = w.id and d.order_key = ${ORDER_KEY} and d.state = 'pending'
      order by d.position desc limit 1
    )), $2::timestamptz
    from taken t join events e on e.position = t.position
    join webhooks w on w.enabled and w.organization_id = e.organization_id and (w.project_id is null or w.project_id = e.project_id)
      and e.type = any(w.event_types) and ${NOT_ABOUT_ITSELF}
    order by e.position
  ) m
  on conflict do nothing returning webhook_id
), woken as (
  select pg_notify('${WEBHOOKS_CHANNEL}', '{}') from made having count(*) > 0
)
select (select count(*)::int from taken) as taken, (select count(*) from woken) as woken`,
    values: [limit, new Date(now)],
  });
  return rows[0]?.taken ?? 0;
}

export interface Replay {
  webhookId: WebhookId;
  /** Milliseconds since the epoch: events from `from` on, and before `to`. */
  from: number;
  to: number;
  /** Only events that this webhook never took. */
  onlyUndelivered: boolean;
  limit: number;
  now: number;
}

/** Queues events once more for a webhook, in their order. @returns how many */
export async function replayEvents(tx: Queryable, replay: Replay): Promise<number> {
  const { rowCount } = await tx.query(
    `insert into webhook_deliveries (id, webhook_id, event_position, order_key, state, next_at, is_replay, created_at)
     select carcosa_id('dlv', $5), w.id, e.position, ${ORDER_KEY}, 'pending', $5::timestamptz, true, $5::timestamptz
     from webhooks w join events e on e.organization_id = w.organization_id and (w.project_id is null or e.project_id = w.project_id)
       and e.type = any(w.event_types) and ${NOT_ABOUT_ITSELF}
     where w.id = $1 and e.created_at >= $2 and e.created_at < $3
       and (not $4 or not exists (
         select from webhook_deliveries d where d.event_position = e.position and d.webhook_id = w.id and d.state in ('delivered', 'pending')))
     order by e.position limit $6`,
    [
      ...[replay.webhookId, new Date(replay.from), new Date(replay.to), replay.onlyUndelivered],
      ...[new Date(replay.now), replay.limit],
    ],
  );
  return rowCount ?? 0;
}

/** Queues one event once more, for all webhooks whose filters match or for one of them. @returns the ids of the deliveries */
export async function replayEvent(
  tx: Queryable,
  event: { position: number; webhookId?: WebhookId | undefined; now: number },
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `insert into webhook_deliveries (id, webhook_id, event_position, order_key, state, next_at, is_replay, created_at)
     select carcosa_id('dlv', $3), w.id, e.position, ${ORDER_KEY}, 'pending', $3::timestamptz, true, $3::timestamptz
     from events e join webhooks w on w.enabled and w.organization_id = e.organization_id
       and (w.project_id is null or w.project_id = e.project_id)
     where e.position = $1 and case when $2::text is null then e.type = any(w.event_types) else w.id = $2 end
     returning id`,
    [event.position, event.webhookId ?? null, new Date(event.now)],
  );
  return rows.map(({ id }) => id);
}

/** An event for one webhook alone, and its delivery, which is due when whoever asked should have sent it long ago. */
export async function insertTestDelivery(
  tx: Queryable,
  test: { webhookId: WebhookId; actor: { type: string; id: string }; now: number },
): Promise<string> {
  const { rows } = await tx.query<{ id: string }>(
    `with happened as (
       insert into events (id, type, organization_id, project_id, resource_id, data, created_at)
       select carcosa_id('evt', $3), 'webhook.test', w.organization_id, w.project_id, w.id,
         jsonb_build_object('id', w.id, 'organizationId', w.organization_id, 'projectId', w.project_id, 'actor', $2::jsonb), $3
       from webhooks w where w.id = $1 returning position
     )
     insert into webhook_deliveries (id, webhook_id, event_position, order_key, state, next_at, created_at)
     select carcosa_id('dlv', $3), $1, position, 'test:' || position, 'pending', $3::timestamptz + interval '1 minute', $3 from happened
     returning id`,
    [test.webhookId, JSON.stringify(test.actor), new Date(test.now)],
  );
  return rows[0]?.id ?? '';
}
