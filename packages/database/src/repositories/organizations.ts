import type { MemberRole } from '@carcosa/contracts';
import type { OrganizationId, TeamId, UserId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

export interface OrganizationRow {
  id: OrganizationId;
  name: string;
  slug: string;
  plan: string | null;
  createdAt: Date;
}

export interface TeamRow {
  id: TeamId;
  organizationId: OrganizationId;
  name: string;
  slug: string;
  createdAt: Date;
}

export interface MemberRow {
  userId: UserId;
  email: string;
  name: string;
  role: MemberRole;
  createdAt: Date;
}

/** A page by keyset on the id: what stands behind `after`, one more than `limit`. */
export interface IdPage {
  limit: number;
  after: string | undefined;
}

const ORGANIZATION = `o.id, o.name, o.slug, o.plan, o.created_at as "createdAt"`;
const TEAM = `t.id, t.organization_id as "organizationId", t.name, t.slug, t.created_at as "createdAt"`;

export async function findOrganization(db: Queryable, id: OrganizationId): Promise<OrganizationRow | null> {
  const { rows } = await db.query<OrganizationRow>(`select ${ORGANIZATION} from organizations o where o.id = $1`, [id]);
  return rows[0] ?? null;
}

/** Those of `ids`, in the order of their ids. */
export async function listOrganizations(
  db: Queryable,
  ids: readonly OrganizationId[],
  page: IdPage,
): Promise<OrganizationRow[]> {
  const { rows } = await db.query<OrganizationRow>(
    `select ${ORGANIZATION} from organizations o where o.id = any($1) and ($2::text is null or o.id > $2) order by o.id limit $3`,
    [ids, page.after ?? null, page.limit + 1],
  );
  return rows;
}

export async function renameOrganization(
  tx: Queryable,
  id: OrganizationId,
  name: string,
): Promise<OrganizationRow | null> {
  const { rows } = await tx.query<OrganizationRow>(
    `update organizations o set name = $2 where o.id = $1 returning ${ORGANIZATION}`,
    [id, name],
  );
  return rows[0] ?? null;
}

/** How many projects of the organization there are, and buckets that hold bytes; both must be 0 before it may go. */
export async function countOrganizationContents(
  tx: Queryable,
  id: OrganizationId,
): Promise<{ projects: number; buckets: number }> {
  const { rows } = await tx.query<{ projects: number; buckets: number }>(
    `select (select count(*)::int from projects where organization_id = $1 and deleted_at is null) as projects,
       (select count(*)::int from buckets b where organization_id = $1 and (exists (select from objects where bucket_id = b.id)
         or exists (select from object_deletions where bucket_id = b.id) or exists (select from uploads where bucket_id = b.id))) as buckets`,
    [id],
  );
  return rows[0] ?? { projects: 0, buckets: 0 };
}

/** Removes an organization with its teams, members, invitations and empty buckets. */
export async function deleteOrganization(tx: Queryable, id: OrganizationId): Promise<void> {
  await tx.query('delete from api_keys where project_id in (select id from projects where organization_id = $1)', [id]);
  await tx.query('delete from projects where organization_id = $1', [id]);
  await tx.query('delete from buckets where organization_id = $1', [id]);
  await tx.query('delete from teams where organization_id = $1', [id]);
  await tx.query('delete from organizations where id = $1', [id]);
}

/** Its members in the order of their ids. */
export async function listMembers(db: Queryable, id: OrganizationId, page: IdPage): Promise<MemberRow[]> {
  const { rows } = await db.query<MemberRow>(
    `select m.user_id as "userId", u.email, u.name, m.role, m.created_at as "createdAt"
     from organization_members m join users u on u.id = m.user_id
     where m.organization_id = $1 and ($2::text is null or m.user_id > $2) order by m.user_id limit $3`,
    [id, page.after ?? null, page.limit + 1],
  );
  return rows;
}

export async function findMember(db: Queryable, id: OrganizationId, userId: UserId): Promise<MemberRow | null> {
  const { rows } = await db.query<MemberRow>(
    `select m.user_id as "userId", u.email, u.name, m.role, m.created_at as "createdAt"
     from organization_members m join users u on u.id = m.user_id where m.organization_id = $1 and m.user_id = $2`,
    [id, userId],
  );
  return rows[0] ?? null;
}

/**
 * Locks the owners of an organization until the transaction ends, so that two of them cannot leave at once.
 * @returns their ids
 */
export async function holdOwners(tx: Queryable, id: OrganizationId): Promise<UserId[]> {
  await tx.query('select from organizations where id = $1 for update', [id]);
  const { rows } = await tx.query<{ userId: UserId }>(
    `select user_id as "userId" from organization_members where organization_id = $1 and role = 'owner'`,
    [id],
  );
  return rows.map(({ userId }) => userId);
}

/** Makes somebody a member, or gives a member another role. */
export async function putMember(
  tx: Queryable,
  member: { organizationId: OrganizationId; userId: UserId; role: MemberRole },
): Promise<void> {
  await tx.query(
    `insert into organization_members (organization_id, user_id, role, created_at) values ($1, $2, $3, now())
     on conflict (organization_id, user_id) do update set role = excluded.role`,
    [member.organizationId, member.userId, member.role],
  );
}

/** What somebody is a member of; null for a user that there is not. */
export async function findMemberships(
  db: Queryable,
  userId: UserId,
): Promise<{ organizations: [OrganizationId, MemberRole][]; teams: [TeamId, MemberRole][] } | null> {
  const { rows } = await db.query<{
    organizations: [OrganizationId, MemberRole][];
    teams: [TeamId, MemberRole][];
  }>(
    `select coalesce((select json_agg(json_build_array(organization_id, role)) from organization_members where user_id = u.id), '[]')
         as organizations,
       coalesce((select json_agg(json_build_array(team_id, role)) from team_members where user_id = u.id), '[]') as teams
     from users u where u.id = $1`,
    [userId],
  );
  return rows[0] ?? null;
}

/** Takes somebody out of an organization and out of each of its teams. False when it was no member. */
export async function removeMember(tx: Queryable, id: OrganizationId, userId: UserId): Promise<boolean> {
  await tx.query(
    'delete from team_members where user_id = $2 and team_id in (select id from teams where organization_id = $1)',
    [id, userId],
  );
  const { rowCount } = await tx.query('delete from organization_members where organization_id = $1 and user_id = $2', [
    id,
    userId,
  ]);
  return rowCount === 1;
}

export async function findTeam(db: Queryable, id: TeamId): Promise<TeamRow | null> {
  const { rows } = await db.query<TeamRow>(`select ${TEAM} from teams t where t.id = $1`, [id]);
  return rows[0] ?? null;
}

/** Teams of these organizations, and these teams; of them only those of `organizationId` where it is given. */
export async function listTeams(
  db: Queryable,
  of: { organizations: readonly OrganizationId[]; teams: readonly TeamId[]; organizationId: string | undefined },
  page: IdPage,
): Promise<TeamRow[]> {
  const { rows } = await db.query<TeamRow>(
    `select ${TEAM} from teams t where (t.organization_id = any($1) or t.id = any($2)) and ($3::text is null or t.id > $3)
       and ($5::text is null or t.organization_id = $5) order by t.id limit $4`,
    [of.organizations, of.teams, page.after ?? null, page.limit + 1, of.organizationId ?? null],
  );
  return rows;
}

export async function renameTeam(tx: Queryable, id: TeamId, name: string): Promise<TeamRow | null> {
  const { rows } = await tx.query<TeamRow>(`update teams t set name = $2 where t.id = $1 returning ${TEAM}`, [
    id,
    name,
  ]);
  return rows[0] ?? null;
}

export async function countTeamProjects(tx: Queryable, id: TeamId): Promise<number> {
  await tx.query('select from teams where id = $1 for update', [id]);
  const { rows } = await tx.query<{ count: number }>(
    'select count(*)::int as count from projects where team_id = $1 and deleted_at is null',
    [id],
  );
  return rows[0]?.count ?? 0;
}

/** Removes a team; false when something still refers to it, such as a project that is being removed. */
export async function deleteTeam(tx: Queryable, id: TeamId): Promise<boolean> {
  const { rowCount } = await tx.query(
    'delete from teams where id = $1 and not exists (select from projects where team_id = $1)',
    [id],
  );
  return rowCount === 1;
}

/** The members of a team, in the order of their ids. */
export async function listTeamMembers(db: Queryable, id: TeamId, page: IdPage): Promise<MemberRow[]> {
  const { rows } = await db.query<MemberRow>(
    `select m.user_id as "userId", u.email, u.name, m.role, m.created_at as "createdAt"
     from team_members m join users u on u.id = m.user_id
     where m.team_id = $1 and ($2::text is null or m.user_id > $2) order by m.user_id limit $3`,
    [id, page.after ?? null, page.limit + 1],
  );
  return rows;
}

/** Gives somebody a role in a team. False when the user is no member of the team's organization. */
export async function putTeamMember(tx: Queryable, teamId: TeamId, userId: UserId, role: MemberRole): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into team_members (team_id, user_id, role, created_at)
     select t.id, m.user_id, $3, now() from teams t join organization_members m on m.organization_id = t.organization_id
     where t.id = $1 and m.user_id = $2
     on conflict (team_id, user_id) do update set role = excluded.role`,
    [teamId, userId, role],
  );
  return rowCount === 1;
}

export async function removeTeamMember(tx: Queryable, teamId: TeamId, userId: UserId): Promise<boolean> {
  const { rowCount } = await tx.query('delete from team_members where team_id = $1 and user_id = $2', [teamId, userId]);
  return rowCount === 1;
}

export async function findTeamRole(db: Queryable, teamId: TeamId, userId: UserId): Promise<MemberRole | null> {
  const { rows } = await db.query<{ role: MemberRole }>(
    'select role from team_members where team_id = $1 and user_id = $2',
    [teamId, userId],
  );
  return rows[0]?.role ?? null;
}
