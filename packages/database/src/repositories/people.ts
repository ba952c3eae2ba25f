import type { OrganizationId, SessionId, TeamId, UserId } from '@carcosa/kernel';
import type { MemberRole } from '../schema/tenancy.ts';
import type { Queryable } from './queryable.ts';

/** Channel on which `{userId}` is announced when somebody's sessions, memberships or rights have changed. */
export const PEOPLE_CHANNEL = 'carcosa_people';

export interface UserRow {
  id: UserId;
  name: string;
  /** In lower case. */
  email: string;
  emailVerified: boolean;
  image: string | null;
  twoFactorEnabled: boolean;
  isServerAdmin: boolean;
  createdAt: Date;
  updatedAt: Date;
}

/** A session in force, with all that decides what its person may do. */
export interface SessionIdentity {
  userId: UserId;
  isServerAdmin: boolean;
  expiresAt: Date;
  organizations: Record<OrganizationId, MemberRole>;
  teams: Record<TeamId, MemberRole>;
}

const USER = `u.id, u.name, u.email, u.email_verified as "emailVerified", u.image, u.two_factor_enabled as "twoFactorEnabled",
  u.is_server_admin as "isServerAdmin", u.created_at as "createdAt", u.updated_at as "updatedAt"`;

/** Null for a session that has ended. One round trip: it is on the way of the first request after each change. */
export async function findSessionIdentity(db: Queryable, id: SessionId): Promise<SessionIdentity | null> {
  const { rows } = await db.query<SessionIdentity>({
    name: 'find-session-identity',
    text: `select u.id as "userId", u.is_server_admin as "isServerAdmin", s.expires_at as "expiresAt",
        coalesce((select jsonb_object_agg(m.organization_id, m.role) from organization_members m where m.user_id = u.id), '{}')
          as organizations,
        coalesce((select jsonb_object_agg(m.team_id, m.role) from team_members m where m.user_id = u.id), '{}') as teams
      from sessions s join users u on u.id = s.user_id where s.id = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}

export async function findUser(db: Queryable, id: UserId): Promise<UserRow | null> {
  const { rows } = await db.query<UserRow>(`select ${USER} from users u where u.id = $1`, [id]);
  return rows[0] ?? null;
}

/** @param email in lower case */
export async function findUserByEmail(db: Queryable, email: string): Promise<UserRow | null> {
  const { rows } = await db.query<UserRow>(`select ${USER} from users u where u.email = $1`, [email]);
  return rows[0] ?? null;
}

export async function updateUser(
  db: Queryable,
  id: UserId,
  change: { name?: string | undefined; image?: string | null | undefined },
): Promise<UserRow | null> {
  const { rows } = await db.query<UserRow>(
    `update users u set name = coalesce($2, name), image = case when $3 then $4 else image end, updated_at = now()
     where u.id = $1 returning ${USER}`,
    [id, change.name ?? null, change.image !== undefined, change.image ?? null],
  );
  return rows[0] ?? null;
}

export interface MembershipRow {
  id: OrganizationId;
  name: string;
  slug: string;
  role: MemberRole;
}

/** The organizations that somebody is a member of, by name. */
export async function listMemberships(db: Queryable, userId: UserId): Promise<MembershipRow[]> {
  const { rows } = await db.query<MembershipRow>(
    `select o.id, o.name, o.slug, m.role from organization_members m join organizations o on o.id = m.organization_id
     where m.user_id = $1 order by o.name, o.id`,
    [userId],
  );
  return rows;
}

/** Tells every node to read anew what somebody may do. Part of the transaction that changed it: told when that commits. */
export async function announcePerson(tx: Queryable, userId: UserId): Promise<void> {
  await tx.query('select pg_notify($1, $2)', [PEOPLE_CHANNEL, JSON.stringify({ userId })]);
}

/** The oldest account of a server that nobody runs yet and whose default organization has no member; null otherwise. */
export async function findUnclaimedOwner(
  tx: Queryable,
  organizationSlug: string,
): Promise<{ userId: UserId; organizationId: OrganizationId } | null> {
  const { rows } = await tx.query<{ userId: UserId; organizationId: OrganizationId }>(
    `select u.id as "userId", o.id as "organizationId" from organizations o, users u
     where o.slug = $1 and not exists (select 1 from users where is_server_admin)
       and not exists (select 1 from organization_members m where m.organization_id = o.id)
     order by u.created_at, u.id limit 1`,
    [organizationSlug],
  );
  return rows[0] ?? null;
}

export async function hasServerAdmin(db: Queryable): Promise<boolean> {
  const { rows } = await db.query('select 1 from users where is_server_admin limit 1');
  return rows.length > 0;
}

export async function makeServerAdmin(tx: Queryable, id: UserId): Promise<void> {
  await tx.query('update users set is_server_admin = true, updated_at = now() where id = $1', [id]);
}

export async function markEmailVerified(tx: Queryable, id: UserId): Promise<void> {
  await tx.query('update users set email_verified = true, updated_at = now() where id = $1', [id]);
}

/**
 * Gives an account another address, which its person has shown to be hers. Null when it does not have the former one any more.
 * @throws the database's unique violation of `users_email_unique`
 */
export async function changeEmail(
  tx: Queryable,
  id: UserId,
  { from, to }: { from: string; to: string },
): Promise<UserRow | null> {
  const { rows } = await tx.query<UserRow>(
    `update users u set email = $3, email_verified = true, updated_at = now() where u.id = $1 and u.email = $2 returning ${USER}`,
    [id, from, to],
  );
  return rows[0] ?? null;
}

/** Nobody can refer to that person anew until the transaction has ended. */
export async function lockUser(tx: Queryable, id: UserId): Promise<void> {
  await tx.query('select from users where id = $1 for update', [id]);
}

/** Whether somebody can log in with a password. */
export async function hasPassword(db: Queryable, id: UserId): Promise<boolean> {
  const { rows } = await db.query('select from accounts where user_id = $1 and password is not null limit 1', [id]);
  return rows.length > 0;
}

/** Whether somebody is the only one who runs the server; others wait until the transaction has ended. */
export async function isLastServerAdmin(tx: Queryable, id: UserId): Promise<boolean> {
  const { rows } = await tx.query<{ id: UserId }>('select id from users where is_server_admin order by id for update');
  return rows.length === 1 && rows[0]?.id === id;
}

/** Removes an account with its sessions, ways to log in and memberships. What it did stays in the audit log. */
export async function deleteUser(tx: Queryable, id: UserId): Promise<boolean> {
  const { rowCount } = await tx.query('delete from users where id = $1', [id]);
  return rowCount === 1;
}

export async function insertOrganizationMember(
  tx: Queryable,
  row: { organizationId: OrganizationId; userId: UserId; role: MemberRole },
): Promise<void> {
  await tx.query(
    'insert into organization_members (organization_id, user_id, role, created_at) values ($1, $2, $3, now())',
    [row.organizationId, row.userId, row.role],
  );
}

export interface PasskeyRow {
  id: string;
  name: string | null;
  deviceType: string;
  backedUp: boolean;
  createdAt: Date;
}

const PASSKEY = `id, name, device_type as "deviceType", backed_up as "backedUp", coalesce(created_at, 'epoch') as "createdAt"`;

export async function listPasskeys(db: Queryable, userId: UserId): Promise<PasskeyRow[]> {
  const { rows } = await db.query<PasskeyRow>(
    `select ${PASSKEY} from passkeys where user_id = $1 order by created_at, id`,
    [userId],
  );
  return rows;
}

/** Null when that person has no such passkey. */
export async function renamePasskey(
  tx: Queryable,
  userId: UserId,
  id: string,
  name: string,
): Promise<PasskeyRow | null> {
  const { rows } = await tx.query<PasskeyRow>(
    `update passkeys set name = $3 where id = $1 and user_id = $2 returning ${PASSKEY}`,
    [id, userId, name],
  );
  return rows[0] ?? null;
}

/** False when that person has no such passkey. */
export async function deletePasskey(tx: Queryable, userId: UserId, id: string): Promise<boolean> {
  const { rowCount } = await tx.query('delete from passkeys where id = $1 and user_id = $2', [id, userId]);
  return rowCount === 1;
}
