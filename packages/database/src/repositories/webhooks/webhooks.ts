import type { OrganizationId, ProjectId, WebhookId } from '@carcosa/kernel';
import { WEBHOOKS_CHANNEL } from '../events/event-queue.ts';
import type { Queryable } from '../queryable.ts';

export interface WebhookRow {
  id: WebhookId;
  organizationId: OrganizationId;
  /** Null: all of the organization. */
  projectId: ProjectId | null;
  url: string;
  description: string;
  /** As they were given, such as `file.*`. */
  events: string[];
  rateLimit: number | null;
  /** Sealed. */
  secret: Buffer;
  formerSecret: Buffer | null;
  formerSecretUntil: Date | null;
  enabled: boolean;
  disabledReason: string | null;
  consecutiveFailures: number;
  failingSince: Date | null;
  lastSuccessAt: Date | null;
  pausedUntil: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

/** The columns of a {@link WebhookRow}, from the alias `w`. */
export const WEBHOOK_COLUMNS = `w.id, w.organization_id as "organizationId", w.project_id as "projectId", w.url, w.description, w.events,
  w.rate_limit as "rateLimit", w.secret, w.former_secret as "formerSecret", w.former_secret_until as "formerSecretUntil", w.enabled,
  w.disabled_reason as "disabledReason", w.consecutive_failures as "consecutiveFailures", w.failing_since as "failingSince",
  w.last_success_at as "lastSuccessAt", w.paused_until as "pausedUntil", w.created_at as "createdAt", w.updated_at as "updatedAt"`;

export type NewWebhook = Pick<
  WebhookRow,
  'id' | 'organizationId' | 'projectId' | 'url' | 'description' | 'events' | 'rateLimit' | 'secret'
> & { eventTypes: readonly string[]; createdBy: string; now: Date };

export async function insertWebhook(tx: Queryable, row: NewWebhook): Promise<WebhookRow> {
  const { rows } = await tx.query<WebhookRow>(
    `insert into webhooks as w (id, organization_id, project_id, url, description, events, event_types, rate_limit, secret, created_by,
       created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) returning ${WEBHOOK_COLUMNS}`,
    [
      ...[row.id, row.organizationId, row.projectId, row.url, row.description, row.events, row.eventTypes],
      ...[row.rateLimit, row.secret, row.createdBy, row.now],
    ],
  );
  return rows[0] as WebhookRow;
}

export async function findWebhook(db: Queryable, id: WebhookId): Promise<WebhookRow | null> {
  const { rows } = await db.query<WebhookRow>(`select ${WEBHOOK_COLUMNS} from webhooks w where w.id = $1`, [id]);
  return rows[0] ?? null;
}

/** As {@link findWebhook}; nobody changes it until the transaction ends. */
export async function lockWebhook(tx: Queryable, id: WebhookId): Promise<WebhookRow | null> {
  const { rows } = await tx.query<WebhookRow>(`select ${WEBHOOK_COLUMNS} from webhooks w where w.id = $1 for update`, [
    id,
  ]);
  return rows[0] ?? null;
}

export interface WebhookListing {
  organizationId: OrganizationId | null;
  projectId: ProjectId | null;
  limit: number;
  after: string | undefined;
}

/** Those of a project, or those of an organization and all of its projects; one more than `limit`. */
export async function listWebhooks(db: Queryable, listing: WebhookListing): Promise<WebhookRow[]> {
  const { rows } = await db.query<WebhookRow>(
    `select ${WEBHOOK_COLUMNS} from webhooks w where ${listing.projectId === null ? 'w.organization_id' : 'w.project_id'} = $1
       and ($2::text is null or w.id > $2) order by w.id limit $3`,
    [listing.projectId ?? listing.organizationId, listing.after ?? null, listing.limit + 1],
  );
  return rows;
}

export interface WebhookChange {
  url?: string | undefined;
  description?: string | undefined;
  events?: readonly string[] | undefined;
  eventTypes?: readonly string[] | undefined;
  rateLimit?: number | null | undefined;
  enabled?: boolean | undefined;
}

/** Changes what is given. To switch it on also forgets its failures; to switch it off ends what waits for it. */
export async function updateWebhook(
  tx: Queryable,
  id: WebhookId,
  change: WebhookChange,
  now: Date,
): Promise<WebhookRow | null> {
  const { url, description, events, eventTypes, rateLimit, enabled } = change;
  const { rows } = await tx.query<WebhookRow>(
    `update webhooks w set url = coalesce($2, url), description = coalesce($3, description), events = coalesce($4, events),
       event_types = coalesce($5, event_types), rate_limit = case when $6 then $7 else rate_limit end,
       enabled = coalesce($8, enabled), disabled_reason = case when $8 is null then disabled_reason end,
       consecutive_failures = case when $8 then 0 else consecutive_failures end,
       failing_since = case when $8 then null else failing_since end, paused_until = case when $8 then null else paused_until end,
       updated_at = $9
     where id = $1 returning ${WEBHOOK_COLUMNS}`,
    [
      ...[id, url ?? null, description ?? null, events ?? null, eventTypes ?? null],
      ...[rateLimit !== undefined, rateLimit ?? null, enabled ?? null, now],
    ],
  );
  if (enabled === false) await cancelDeliveries(tx, id, now);
  return rows[0] ?? null;
}

/** Switches it off for a reason that nobody chose; false where it is off already. */
export async function disableWebhook(tx: Queryable, id: WebhookId, reason: string, now: Date): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update webhooks set enabled = false, disabled_reason = $2, updated_at = $3 where id = $1 and enabled',
    [id, reason, now],
  );
  if (rowCount !== 1) return false;
  await cancelDeliveries(tx, id, now);
  return true;
}

async function cancelDeliveries(tx: Queryable, id: WebhookId, now: Date): Promise<void> {
  await tx.query(
    `update webhook_deliveries set state = 'cancelled', finished_at = $2 where webhook_id = $1 and state = 'pending'`,
    [id, now],
  );
}

export interface SecretRotation {
  secret: Buffer;
  formerSecret: Buffer | null;
  formerSecretUntil: Date | null;
  now: Date;
}

export async function rotateWebhookSecret(tx: Queryable, id: WebhookId, rotation: SecretRotation): Promise<void> {
  await tx.query(
    'update webhooks set secret = $2, former_secret = $3, former_secret_until = $4, updated_at = $5 where id = $1',
    [id, rotation.secret, rotation.formerSecret, rotation.formerSecretUntil, rotation.now],
  );
}

export async function deleteWebhook(tx: Queryable, id: WebhookId): Promise<boolean> {
  const { rowCount } = await tx.query('delete from webhooks where id = $1', [id]);
  return rowCount === 1;
}

/** Wakes the workers of all nodes when the transaction commits; those that send to `changed` take over what it is now. */
export async function wakeWebhooks(tx: Queryable, changed?: WebhookId): Promise<void> {
  await tx.query('select pg_notify($1, $2)', [WEBHOOKS_CHANNEL, JSON.stringify({ changed })]);
}
