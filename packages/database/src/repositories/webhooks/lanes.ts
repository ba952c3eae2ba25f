import type { WebhookId } from '@carcosa/kernel';
import { EVENT_TIMESTAMP, eventData } from '../events/list-events.ts';
import type { Queryable } from '../queryable.ts';
import { WEBHOOK_COLUMNS, type WebhookRow } from './webhooks.ts';

/** Seconds, by the database's clock, for which a process may send to a webhook unless it says that it goes on. */
const LANE_SECONDS = 15;

/**
 * Takes up to `max` webhooks for which something is due and to which nobody sends: one process at a time does, so that its limits are
 * those of the webhook.
 * @param now milliseconds since the epoch
 */
export async function takeLanes(
  db: Queryable,
  { owner, now, max }: { owner: string; now: number; max: number },
): Promise<WebhookRow[]> {
  const { rows } = await db.query<WebhookRow>({
    name: 'take-webhook-lanes',
    text: `update webhooks w set lane_owner = $1, lane_until = now() + interval '${LANE_SECONDS} s' where w.id in (
       select c.id from webhooks c where c.enabled and (c.paused_until is null or c.paused_until <= $2)
         and (c.lane_until is null or c.lane_until < now())
         and (select true from webhook_deliveries d where d.webhook_id = c.id and d.state = 'pending' and d.next_at <= $2 limit 1)
       limit $3 for update skip locked)
     returning ${WEBHOOK_COLUMNS}`,
    values: [owner, new Date(now), max],
  });
  return rows;
}

/** Goes on sending. @returns those that the process still has; the others belong to somebody else, are off, or gone */
export async function renewLanes(db: Queryable, owner: string, ids: readonly WebhookId[]): Promise<WebhookRow[]> {
  const { rows } = await db.query<WebhookRow>(
    `update webhooks w set lane_until = now() + interval '${LANE_SECONDS} s'
     where w.id = any($2) and w.lane_owner = $1 and w.enabled returning ${WEBHOOK_COLUMNS}`,
    [owner, ids],
  );
  return rows;
}

export async function releaseLane(db: Queryable, owner: string, id: WebhookId): Promise<void> {
  await db.query('update webhooks set lane_owner = null, lane_until = null where id = $1 and lane_owner = $2', [
    id,
    owner,
  ]);
}

/** For an embedded database at its start: whoever had a lane is dead. */
export async function releaseAllLanes(db: Queryable): Promise<void> {
  await db.query('update webhooks set lane_owner = null, lane_until = null where lane_owner is not null');
}

/** What is to be sent. */
export interface DueDelivery {
  id: string;
  /** How many were made before. */
  attempts: number;
  eventId: string;
  /** `{type, timestamp, data}` as JSON: the bytes that are signed. */
  body: string;
}

const dueColumns = (publicUrl: string) =>
  `d.id, d.attempts, e.id as "eventId", json_build_object('type', e.type, 'timestamp', ${EVENT_TIMESTAMP}, 'data', ${eventData(publicUrl)})::text as body`;

export interface DueListing {
  webhookId: WebhookId;
  now: number;
  /** Deliveries that are under way. */
  except: readonly string[];
  limit: number;
  publicUrl: string;
}

/** What is due, the longest first, and waits for no earlier delivery of the same thing. */
export async function findDue(db: Queryable, listing: DueListing): Promise<DueDelivery[]> {
  const { rows } = await db.query<DueDelivery>({
    name: 'find-due-deliveries',
    text: `select ${dueColumns('$5')} from (
        select * from webhook_deliveries d where d.webhook_id = $1 and d.state = 'pending' and d.next_at <= $2 and d.id <> all($3::text[])
          and d.position = (select b.position from webhook_deliveries b where b.webhook_id = $1 and b.order_key = d.order_key
            and b.state = 'pending' order by b.position limit 1)
        order by d.next_at, d.position limit $4
      ) d join events e on e.position = d.event_position order by d.next_at, d.position`,
    values: [listing.webhookId, new Date(listing.now), listing.except, listing.limit, listing.publicUrl],
  });
  return rows;
}

/** One delivery, whenever it is due. */
export async function findDueDelivery(db: Queryable, id: string, publicUrl: string): Promise<DueDelivery | null> {
  const { rows } = await db.query<DueDelivery>(
    `select ${dueColumns('$2')} from webhook_deliveries d join events e on e.position = d.event_position where d.id = $1`,
    [id, publicUrl],
  );
  return rows[0] ?? null;
}

/** A request that was made, and what becomes of its delivery. Times in milliseconds (since the epoch). */
export interface NewAttempt {
  deliveryId: string;
  number: number;
  at: number;
  durationMs: number;
  url: string;
  requestHeaders: Record<string, string>;
  status: number | null;
  responseHeaders: Record<string, string> | null;
  responseBody: string | null;
  error: string | null;
  state: 'pending' | 'delivered' | 'failed';
  nextAt: number;
}

/** How a webhook is, after attempts. Times in milliseconds since the epoch. */
export interface WebhookHealthRow {
  consecutiveFailures: number;
  failingSince: number | null;
  lastSuccessAt: number | null;
  pausedUntil: number | null;
}

/** Records any number of attempts at one webhook, what becomes of their deliveries, and how the webhook is, in one statement. */
export async function recordAttempts(
  db: Queryable,
  webhookId: WebhookId,
  attempts: readonly NewAttempt[],
  health: WebhookHealthRow,
): Promise<void> {
  await db.query({
    name: 'record-webhook-attempts',
    text: RECORD,
    values: [webhookId, JSON.stringify(attempts), JSON.stringify(health)],
  });
}

const instant = (value: string) => `to_timestamp((${value})::float8 / 1000)`;

/** Most deliveries of one thing that are put off with the one that they wait for; the others are passed by. */
const MAX_WAITING = 10_000;

// Indexes are probed through arrays and limits: as plain joins, the planner, which knows little of a table that grows and shrinks so
// quickly, reads all that is pending. What waits for a delivery that is put off is put off with it, or each look for what is due would come by all of it.
const RECORD = `
with n as (
  select * from jsonb_to_recordset($2::jsonb) as n("deliveryId" text, number int, at float8, "durationMs" int, url text,
    "requestHeaders" jsonb, status int, "responseHeaders" jsonb, "responseBody" text, error text, state text, "nextAt" float8)
), attempted as (
  insert into webhook_attempts (delivery_id, number, at, duration_ms, url, request_headers, status, response_headers, response_body, error)
  select d.id, n.number, ${instant('n.at')}, n."durationMs", n.url, n."requestHeaders", n.status, n."responseHeaders", n."responseBody", n.error
  from n join webhook_deliveries d on d.id = n."deliveryId"
  on conflict do nothing
), settled as (
  update webhook_deliveries d set state = n.state, attempts = n.number, next_at = ${instant('n."nextAt"')},
    finished_at = case when n.state <> 'pending' then ${instant('n.at + n."durationMs"')} end
  from n where d.id = any(array(select "deliveryId" from n)) and d.id = n."deliveryId" and d.finished_at is null
  returning d.order_key, d.position, d.state, d.next_at
), waiting as (
  update webhook_deliveries d set next_at = s.next_at from settled s
  where s.state = 'pending' and d.position = any(array(
      select b.position from settled p cross join lateral (
        select position from webhook_deliveries b where b.webhook_id = $1 and b.order_key = p.order_key and b.state = 'pending'
          and b.position > p.position order by b.position limit ${MAX_WAITING}
      ) b where p.state = 'pending'))
    and d.order_key = s.order_key and d.next_at < s.next_at
)
update webhooks w set consecutive_failures = (h->>'consecutiveFailures')::int, failing_since = ${instant(`h->>'failingSince'`)},
  last_success_at = ${instant(`h->>'lastSuccessAt'`)}, paused_until = ${instant(`h->>'pausedUntil'`)}
from (select $3::jsonb as h) health where w.id = $1`;
