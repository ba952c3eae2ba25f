import type { ProjectSettings, UpdateProjectBody } from '@carcosa/contracts';
import type { BucketId, OrganizationId, ProjectId, TeamId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

export interface ProjectRow {
  id: ProjectId;
  organizationId: OrganizationId;
  teamId: TeamId;
  bucketId: BucketId;
  name: string;
  slug: string;
  /** As stored: what is absent has its default. */
  settings: Partial<ProjectSettings>;
  signingKeyVersion: number;
  createdAt: Date;
  updatedAt: Date;
}

/** Channel on which `{projectId}` is announced when a project was changed. */
export const PROJECTS_CHANNEL = 'carcosa_projects';

const COLUMNS = `id, organization_id as "organizationId", team_id as "teamId", bucket_id as "bucketId", name, slug, settings,
  signing_key_version as "signingKeyVersion", created_at as "createdAt", updated_at as "updatedAt"`;

export async function findProject(db: Queryable, id: ProjectId): Promise<ProjectRow | null> {
  const { rows } = await db.query<ProjectRow>({
    name: 'find-project',
    text: `select ${COLUMNS} from projects where id = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}

/** Changes what is given, settings one by one, and tells every node. Null when there is no such project. */
export async function updateProject(
  db: Queryable,
  id: ProjectId,
  change: { name?: string | undefined; settings?: UpdateProjectBody['settings'] },
): Promise<ProjectRow | null> {
  const { rows } = await db.query<ProjectRow>(
    `update projects set name = coalesce($2, name), settings = settings || $3::jsonb, updated_at = now()
     where id = $1 returning ${COLUMNS}`,
    [id, change.name ?? null, JSON.stringify(change.settings ?? {})],
  );
  return await announced(db, rows[0]);
}

/** Raises the version of the signing key, which ends every signed address made before. */
export async function rotateSigningKey(db: Queryable, id: ProjectId): Promise<ProjectRow | null> {
  const { rows } = await db.query<ProjectRow>(
    `update projects set signing_key_version = signing_key_version + 1, updated_at = now() where id = $1 returning ${COLUMNS}`,
    [id],
  );
  return await announced(db, rows[0]);
}

async function announced(db: Queryable, row: ProjectRow | undefined): Promise<ProjectRow | null> {
  if (!row) return null;
  await db.query('select pg_notify($1, $2)', [PROJECTS_CHANNEL, JSON.stringify({ projectId: row.id })]);
  return row;
}

/** Replaces the project's own rate limits and tells every node. Null when there is no such project. */
export async function setProjectRateLimits(
  db: Queryable,
  id: ProjectId,
  rateLimits: ProjectSettings['rateLimits'],
): Promise<ProjectRow | null> {
  const { rows } = await db.query<ProjectRow>(
    `update projects set settings = jsonb_set(settings, '{rateLimits}', $2::jsonb), updated_at = now()
     where id = $1 returning ${COLUMNS}`,
    [id, JSON.stringify(rateLimits)],
  );
  return await announced(db, rows[0]);
}
