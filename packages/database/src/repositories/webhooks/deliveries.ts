import type { WebhookId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

export interface DeliveryRow {
  position: number;
  id: string;
  webhookId: WebhookId;
  eventId: string;
  eventType: string;
  eventPosition: number;
  state: 'pending' | 'delivered' | 'failed' | 'cancelled';
  attempts: number;
  nextAt: Date;
  isReplay: boolean;
  createdAt: Date;
  finishedAt: Date | null;
}

const COLUMNS = `d.position, d.id, d.webhook_id as "webhookId", e.id as "eventId", e.type as "eventType", d.event_position as "eventPosition",
  d.state, d.attempts, d.next_at as "nextAt", d.is_replay as "isReplay", d.created_at as "createdAt", d.finished_at as "finishedAt"`;
const FROM = 'webhook_deliveries d join events e on e.position = d.event_position';

export interface DeliveryListing {
  webhookId: WebhookId;
  state: DeliveryRow['state'] | undefined;
  /** Where the page before ended. */
  after: number | undefined;
  limit: number;
}

/** At most `limit` deliveries, newest first, by keyset. */
export async function listDeliveries(db: Queryable, listing: DeliveryListing): Promise<DeliveryRow[]> {
  const { rows } = await db.query<DeliveryRow>(
    `select ${COLUMNS} from ${FROM} where d.webhook_id = $1 and ($2::text is null or d.state = $2)
       and ($3::bigint is null or d.position < $3) order by d.position desc limit $4`,
    [listing.webhookId, listing.state ?? null, listing.after ?? null, listing.limit],
  );
  return rows;
}

export async function findDelivery(db: Queryable, webhookId: WebhookId, id: string): Promise<DeliveryRow | null> {
  const { rows } = await db.query<DeliveryRow>(`select ${COLUMNS} from ${FROM} where d.webhook_id = $1 and d.id = $2`, [
    webhookId,
    id,
  ]);
  return rows[0] ?? null;
}

export interface AttemptRow {
  number: number;
  at: Date;
  durationMs: number;
  url: string;
  requestHeaders: Record<string, string>;
  status: number | null;
  responseHeaders: Record<string, string> | null;
  responseBody: string | null;
  error: string | null;
}

/** All requests that were made for a delivery, in their order. */
export async function listAttempts(db: Queryable, deliveryId: string): Promise<AttemptRow[]> {
  const { rows } = await db.query<AttemptRow>(
    `select number, at, duration_ms as "durationMs", url, request_headers as "requestHeaders", status,
       response_headers as "responseHeaders", response_body as "responseBody", error
     from webhook_attempts where delivery_id = $1 order by number`,
    [deliveryId],
  );
  return rows;
}
