/** Channel on which it is announced that events wait to be turned into deliveries, or deliveries to be sent. */
export const WEBHOOKS_CHANNEL = 'carcosa_webhooks';

/**
 * Parts of a statement's `with` that hand on the events which the part `from` has written and gives the positions of: they are queued, and
 * the workers are woken at the commit. Where nobody has a webhook there is nobody to tell. For it to run, the statement must read
 * {@link WOKEN}.
 */
export function queueEvents(from: string): string {
  return `queued as (
  insert into event_queue (position) select position from ${from} where exists (select from webhooks where enabled) returning position
), woken as (
  select pg_notify('${WEBHOOKS_CHANNEL}', '{}') from queued having count(*) > 0
)`;
}

/** One row, whether somebody was woken or not. */
export const WOKEN = '(select count(*) from woken) as woken';

/** What an event says beside the thing that it happened to. */
export const EVENT_CONTEXT = (organization: string, project: string, actorType: string, actorId: string): string =>
  `jsonb_build_object('organizationId', ${organization}, 'projectId', ${project}, 'actor', jsonb_build_object('type', ${actorType}, 'id', ${actorId}))`;
