import type { ProjectSettings, UpdateProjectBody } from '@carcosa/contracts';
import type { BucketId, OrganizationId, ProjectId, TeamId } from '@carcosa/kernel';
import { API_KEYS_CHANNEL } from './api-keys.ts';
import { WEBHOOKS_CHANNEL } from './events/event-queue.ts';
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
    text: `select ${COLUMNS} from projects where id = $1 and deleted_at is null`,
    values: [id],
  });
  return rows[0] ?? null;
}

/** Changes what is given, settings one by one, and tells every node. Null when there is no such project. */
export async function updateProject(
  db: Queryable,
  id: ProjectId,
  change: { name?: string | undefined; settings?: UpdateProjectBody['settings']; bucketId?: BucketId | undefined },
): Promise<ProjectRow | null> {
  const { rows } = await db.query<ProjectRow>(
    `update projects set name = coalesce($2, name), settings = settings || $3::jsonb,
       bucket_id = coalesce($4, bucket_id), updated_at = now()
     where id = $1 and deleted_at is null returning ${COLUMNS}`,
    [id, change.name ?? null, JSON.stringify(change.settings ?? {}), change.bucketId ?? null],
  );
  return await announced(db, rows[0]);
}

/** Raises the version of the signing key, which ends every signed address made before. */
export async function rotateSigningKey(db: Queryable, id: ProjectId): Promise<ProjectRow | null> {
  const { rows } = await db.query<ProjectRow>(
    `update projects set signing_key_version = signing_key_version + 1, updated_at = now()
     where id = $1 and deleted_at is null returning ${COLUMNS}`,
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
     where id = $1 and deleted_at is null returning ${COLUMNS}`,
    [id, JSON.stringify(rateLimits)],
  );
  return await announced(db, rows[0]);
}

export interface ProjectListing {
  /** All projects of these organizations, */
  organizations: readonly OrganizationId[];
  /** and of these teams. */
  teams: readonly TeamId[];
  /** Of them, only those of this organization or team. */
  organizationId: string | undefined;
  teamId: string | undefined;
  limit: number;
  after: string | undefined;
}

/** In the order of their ids, one more than `limit`. */
export async function listProjects(db: Queryable, listing: ProjectListing): Promise<ProjectRow[]> {
  const { rows } = await db.query<ProjectRow>(
    `select ${COLUMNS} from projects where deleted_at is null and (organization_id = any($1) or team_id = any($2))
       and ($3::text is null or organization_id = $3) and ($4::text is null or team_id = $4) and ($5::text is null or id > $5)
     order by id limit $6`,
    [
      listing.organizations,
      listing.teams,
      listing.organizationId ?? null,
      listing.teamId ?? null,
      listing.after ?? null,
      listing.limit + 1,
    ],
  );
  return rows;
}

/**
 * Takes a project out of sight: its keys and webhooks end, its files are served no more, and a job removes them. Null when there is none.
 */
export async function retireProject(tx: Queryable, id: ProjectId): Promise<ProjectRow | null> {
  const { rows } = await tx.query<ProjectRow>(
    `update projects set deleted_at = now(), updated_at = now() where id = $1 and deleted_at is null returning ${COLUMNS}`,
    [id],
  );
  if (!rows[0]) return null;
  await tx.query(
    `with revoked as (update api_keys set revoked_at = now() where project_id = $1 and revoked_at is null returning public_id)
     select pg_notify($2, json_build_object('publicId', public_id)::text) from revoked`,
    [id, API_KEYS_CHANNEL],
  );
  await tx.query(
    `with ended as (
       update webhooks set enabled = false, disabled_reason = 'its project was removed', updated_at = now()
       where project_id = $1 and enabled returning id
     ), cancelled as (
       update webhook_deliveries d set state = 'cancelled', finished_at = now()
       from ended e where d.webhook_id = e.id and d.state = 'pending'
     ) select pg_notify($2, json_build_object('changed', id)::text) from ended`,
    [id, WEBHOOKS_CHANNEL],
  );
  return await announced(tx, rows[0]);
}

/** Whether the project keeps files, live or in the trash. */
export async function hasFiles(db: Queryable, id: ProjectId): Promise<boolean> {
  const { rows } = await db.query<{ has: boolean }>('select exists (select from files where project_id = $1) as has', [
    id,
  ]);
  return rows[0]?.has ?? false;
}
