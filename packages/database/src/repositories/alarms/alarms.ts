import type { AlarmKind } from '@carcosa/contracts';
import type { AlarmId, OrganizationId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

export interface AlarmRow {
  id: AlarmId;
  /** Null: of the server. */
  organizationId: OrganizationId | null;
  kind: AlarmKind;
  name: string;
  threshold: number;
  forMinutes: number;
  enabled: boolean;
  toAdministrators: boolean;
  emails: string[];
  webhookUrl: string | null;
  /** Sealed. */
  webhookSecret: Buffer | null;
  /** Sealed. */
  chatUrl: Buffer | null;
  chatHost: string | null;
  createdAt: Date;
  updatedAt: Date;
}

const COLUMNS = `a.id, a.organization_id as "organizationId", a.kind, a.name, a.threshold, a.for_minutes as "forMinutes", a.enabled,
  a.to_administrators as "toAdministrators", a.emails, a.webhook_url as "webhookUrl", a.webhook_secret as "webhookSecret",
  a.chat_url as "chatUrl", a.chat_host as "chatHost", a.created_at as "createdAt", a.updated_at as "updatedAt"`;

/** Makes an alarm, or puts all that can be changed of one in the place of what it was. */
export async function putAlarm(tx: Queryable, row: AlarmRow): Promise<void> {
  await tx.query(
    `insert into alarms (id, organization_id, kind, name, threshold, for_minutes, enabled, to_administrators, emails, webhook_url,
       webhook_secret, chat_url, chat_host, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
     on conflict (id) do update set name = excluded.name, threshold = excluded.threshold, for_minutes = excluded.for_minutes,
       enabled = excluded.enabled, to_administrators = excluded.to_administrators, emails = excluded.emails,
       webhook_url = excluded.webhook_url, webhook_secret = excluded.webhook_secret, chat_url = excluded.chat_url,
       chat_host = excluded.chat_host, updated_at = excluded.updated_at`,
    [
      ...[row.id, row.organizationId, row.kind, row.name, row.threshold, row.forMinutes, row.enabled],
      ...[row.toAdministrators, row.emails, row.webhookUrl, row.webhookSecret, row.chatUrl, row.chatHost],
      ...[row.createdAt, row.updatedAt],
    ],
  );
}

/** @param lock keeps others from changing it until the transaction ends */
export async function findAlarm(db: Queryable, id: AlarmId, lock = false): Promise<AlarmRow | null> {
  const { rows } = await db.query<AlarmRow>(
    `select ${COLUMNS} from alarms a where a.id = $1 ${lock ? 'for update' : ''}`,
    [id],
  );
  return rows[0] ?? null;
}

/** Those of an organization, or with null of the server, in the order of ids; one more than `limit`. */
export async function listAlarms(
  db: Queryable,
  listing: { organizationId: OrganizationId | null; limit: number; after: string | undefined },
): Promise<AlarmRow[]> {
  const { rows } = await db.query<AlarmRow>(
    `select ${COLUMNS} from alarms a where a.organization_id is not distinct from $1 and ($2::text is null or a.id > $2)
     order by a.id limit $3`,
    [listing.organizationId, listing.after ?? null, listing.limit + 1],
  );
  return rows;
}

/** How many there are. Two who make one at once wait for each other. */
export async function countAlarms(tx: Queryable, organizationId: OrganizationId | null): Promise<number> {
  await tx.query(`select pg_advisory_xact_lock(hashtext('carcosa:alarms:' || coalesce($1::text, '')))`, [
    organizationId,
  ]);
  const { rows } = await tx.query<{ count: number }>(
    'select count(*)::int as count from alarms where organization_id is not distinct from $1',
    [organizationId],
  );
  return rows[0]?.count ?? 0;
}

export async function deleteAlarm(tx: Queryable, id: AlarmId): Promise<boolean> {
  const { rowCount } = await tx.query('delete from alarms where id = $1', [id]);
  return rowCount === 1;
}

/** Those that are switched on, after `after`, in the order of ids. */
export async function listEnabledAlarms(db: Queryable, after: string, limit: number): Promise<AlarmRow[]> {
  const { rows } = await db.query<AlarmRow>(
    `select ${COLUMNS} from alarms a where a.enabled and a.id > $1 order by a.id limit $2`,
    [after, limit],
  );
  return rows;
}

/** The addresses of who runs the organization, or with null the server; at most 50. */
export async function administratorEmails(db: Queryable, organizationId: OrganizationId | null): Promise<string[]> {
  const { rows } = await db.query<{ email: string }>(
    organizationId === null
      ? 'select email from users where is_server_admin and $1::text is null order by id limit 50'
      : `select u.email from organization_members m join users u on u.id = m.user_id
         where m.organization_id = $1 and m.role in ('owner', 'admin') order by u.id limit 50`,
    [organizationId],
  );
  return rows.map(({ email }) => email);
}
