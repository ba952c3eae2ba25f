import type { BucketId, OrganizationId, ProjectId, TeamId } from '@carcosa/kernel';
import { PROJECTS_CHANNEL } from '../projects.ts';
import type { Queryable } from '../queryable.ts';
import type { BucketShareRow } from './bucket-shares.ts';

export interface ProjectBucketRow {
  bucketId: BucketId;
  name: string;
  provider: 'local' | 's3';
  default: boolean;
  fromEnvironment: boolean;
  /** Of the project's team. */
  access: BucketShareRow['access'] | null;
}

export interface LockedProject {
  organizationId: OrganizationId;
  teamId: TeamId;
  bucketId: BucketId;
}

/** Where a project stands; nobody else changes its buckets until the transaction ends. */
export async function lockProject(tx: Queryable, id: ProjectId): Promise<LockedProject | null> {
  const { rows } = await tx.query<LockedProject>(
    `select organization_id as "organizationId", team_id as "teamId", bucket_id as "bucketId"
     from projects where id = $1 and deleted_at is null for no key update`,
    [id],
  );
  return rows[0] ?? null;
}

/** The buckets of a project, the one for new files first. */
export async function listProjectBuckets(db: Queryable, id: ProjectId): Promise<ProjectBucketRow[]> {
  const { rows } = await db.query<ProjectBucketRow>(
    `select b.id as "bucketId", b.name, b.provider, b.id = p.bucket_id as "default",
       b.from_environment as "fromEnvironment", s.access
     from projects p
     join buckets b on b.id = p.bucket_id or b.id in (select pb.bucket_id from project_buckets pb where pb.project_id = p.id)
     left join bucket_shares s on s.bucket_id = b.id and s.team_id = p.team_id
     where p.id = $1 order by (b.id = p.bucket_id) desc, b.id`,
    [id],
  );
  return rows;
}

export async function insertProjectBucket(tx: Queryable, projectId: ProjectId, bucketId: BucketId): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into project_buckets (project_id, bucket_id, created_at) values ($1, $2, now()) on conflict do nothing`,
    [projectId, bucketId],
  );
  return rowCount === 1;
}

/** False where the project did not have it. */
export async function deleteProjectBucket(tx: Queryable, projectId: ProjectId, bucketId: string): Promise<boolean> {
  const { rowCount } = await tx.query('delete from project_buckets where project_id = $1 and bucket_id = $2', [
    projectId,
    bucketId,
  ]);
  return rowCount === 1;
}

/** New files of the project go there from now on. Every node is told. */
export async function setDefaultBucket(tx: Queryable, projectId: ProjectId, bucketId: BucketId): Promise<void> {
  await tx.query('update projects set bucket_id = $2, updated_at = now() where id = $1', [projectId, bucketId]);
  await tx.query('select pg_notify($1, $2)', [PROJECTS_CHANNEL, JSON.stringify({ projectId })]);
}

/** What of a project lies in a bucket, or goes there. */
export async function projectUse(
  tx: Queryable,
  projectId: ProjectId,
  bucketId: string,
): Promise<{ tenantCount: number; hasObjects: boolean; hasUploads: boolean }> {
  const { rows } = await tx.query<{ tenantCount: number; hasObjects: boolean; hasUploads: boolean }>(
    `select (select count(*)::int from tenants where project_id = $1 and bucket_id = $2) as "tenantCount",
       exists (select from objects where project_id = $1 and bucket_id = $2) as "hasObjects",
       exists (select from uploads where project_id = $1 and bucket_id = $2 and status = 'open') as "hasUploads"`,
    [projectId, bucketId],
  );
  return rows[0] as { tenantCount: number; hasObjects: boolean; hasUploads: boolean };
}
