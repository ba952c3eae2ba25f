import type { MemberRole } from '@carcosa/contracts';
import type { InvitationId, OrganizationId, TeamId, UserId } from '@carcosa/kernel';
import type { IdPage } from './organizations.ts';
import type { Queryable } from './queryable.ts';

export interface InvitationRow {
  id: InvitationId;
  organizationId: OrganizationId;
  teamId: TeamId | null;
  email: string;
  role: MemberRole;
  status: 'pending' | 'accepted' | 'declined' | 'revoked';
  invitedBy: string;
  expiresAt: Date;
  createdAt: Date;
  organizationName: string;
  teamName: string | null;
}

const COLUMNS = `i.id, i.organization_id as "organizationId", i.team_id as "teamId", i.email, i.role, i.status,
  i.invited_by as "invitedBy", i.expires_at as "expiresAt", i.created_at as "createdAt",
  (select o.name from organizations o where o.id = i.organization_id) as "organizationName",
  (select t.name from teams t where t.id = i.team_id) as "teamName"`;

export type NewInvitation = Pick<
  InvitationRow,
  'id' | 'organizationId' | 'teamId' | 'email' | 'role' | 'invitedBy' | 'expiresAt' | 'createdAt'
> & { tokenHash: Buffer };

/** @throws the database's unique violation of `invitations_pending` when somebody with that address is invited already */
export async function insertInvitation(tx: Queryable, row: NewInvitation): Promise<void> {
  await tx.query(
    `insert into invitations (id, organization_id, team_id, email, role, token_hash, invited_by, expires_at, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      row.id,
      row.organizationId,
      row.teamId,
      row.email,
      row.role,
      row.tokenHash,
      row.invitedBy,
      row.expiresAt,
      row.createdAt,
    ],
  );
}

export async function findInvitation(db: Queryable, id: InvitationId): Promise<InvitationRow | null> {
  const { rows } = await db.query<InvitationRow>(`select ${COLUMNS} from invitations i where i.id = $1`, [id]);
  return rows[0] ?? null;
}

/** The invitation whose link carries the token with that hash; locked where the transaction is to end it. */
export async function findInvitationByToken(
  db: Queryable,
  tokenHash: Buffer,
  lock = false,
): Promise<InvitationRow | null> {
  const { rows } = await db.query<InvitationRow>(
    `select ${COLUMNS} from invitations i where i.token_hash = $1 ${lock ? 'for update' : ''}`,
    [tokenHash],
  );
  return rows[0] ?? null;
}

export async function listInvitations(db: Queryable, id: OrganizationId, page: IdPage): Promise<InvitationRow[]> {
  const { rows } = await db.query<InvitationRow>(
    `select ${COLUMNS} from invitations i where i.organization_id = $1 and ($2::text is null or i.id > $2) order by i.id limit $3`,
    [id, page.after ?? null, page.limit + 1],
  );
  return rows;
}

/** Gives a pending invitation a new link and time; the link before it opens nothing any more. False when it has ended. */
export async function renewInvitation(
  tx: Queryable,
  id: InvitationId,
  next: { tokenHash: Buffer; expiresAt: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update invitations set token_hash = $2, expires_at = $3 where id = $1 and status = 'pending'`,
    [id, next.tokenHash, next.expiresAt],
  );
  return rowCount === 1;
}

/** Ends a pending invitation, once. False when it had ended. */
export async function endInvitation(
  tx: Queryable,
  id: InvitationId,
  status: 'accepted' | 'declined' | 'revoked',
  now: Date,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update invitations set status = $2, ended_at = $3 where id = $1 and status = 'pending'`,
    [id, status, now],
  );
  return rowCount === 1;
}

/** Ends pending invitations of that address whose time is over, so that a new one can be made. */
export async function endExpiredInvitations(
  tx: Queryable,
  place: { organizationId: OrganizationId; teamId: TeamId | null; email: string },
  now: Date,
): Promise<void> {
  await tx.query(
    `update invitations set status = 'revoked', ended_at = $4 where organization_id = $1 and coalesce(team_id, '') = coalesce($2, '')
       and email = $3 and status = 'pending' and expires_at <= $4`,
    [place.organizationId, place.teamId, place.email, now],
  );
}

export async function findUserEmail(db: Queryable, id: UserId): Promise<string | null> {
  const { rows } = await db.query<{ email: string }>('select email from users where id = $1', [id]);
  return rows[0]?.email ?? null;
}
