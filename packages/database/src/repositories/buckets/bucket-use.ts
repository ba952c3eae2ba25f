import type { BucketId, OrganizationId, ProjectId, TeamId, TenantId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** What depends on a bucket; lists are cut after {@link USE_LIMIT}, numbers are exact. */
export interface BucketUse {
  projects: { id: ProjectId; name: string }[];
  projectCount: number;
  tenants: { id: TenantId; projectId: ProjectId; name: string }[];
  tenantCount: number;
  /** Contents that lie there, those of files in the trash and of versions included. */
  objectCount: number;
  /** Contents that are being removed, and uploads of which something may lie there still. */
  leavingCount: number;
  uploadCount: number;
}

/** How many projects, and tenants, are named. */
export const USE_LIMIT = 20;

/** A project uses a bucket whose new files go there, or that was given the bucket, also while it is being removed. */
const USES =
  '(p.bucket_id = $1 or exists (select from project_buckets pb where pb.project_id = p.id and pb.bucket_id = $1))';

export async function bucketUse(
  tx: Queryable,
  bucket: { id: BucketId; organizationId: OrganizationId },
): Promise<BucketUse> {
  // Contents are found by their project: those of a bucket alone have no index.
  const { rows } = await tx.query<BucketUse>(
    `select
       (select coalesce(json_agg(found), '[]') from (
         select p.id, p.name from projects p where ${USES} order by p.id limit ${USE_LIMIT}) found) as projects,
       (select count(*)::int from projects p where ${USES}) as "projectCount",
       (select coalesce(json_agg(found), '[]') from (
         select t.id, t.project_id as "projectId", t.name from tenants t where t.bucket_id = $1 order by t.id limit ${USE_LIMIT}) found) as tenants,
       (select count(*)::int from tenants t where t.bucket_id = $1) as "tenantCount",
       (select count(*)::int from projects p join objects o on o.project_id = p.id
         where p.organization_id = $2 and o.bucket_id = $1) as "objectCount",
       (select count(*)::int from object_deletions d where d.bucket_id = $1) +
         (select count(*)::int from uploads u where u.bucket_id = $1 and u.status <> 'open' and u.collect_after is not null)
         as "leavingCount",
       (select count(*)::int from uploads u where u.bucket_id = $1 and u.status = 'open') as "uploadCount"`,
    [bucket.id, bucket.organizationId],
  );
  return rows[0] as BucketUse;
}

/** Projects of the team that use the bucket; with `writing`, those alone whose new files, or a tenant's, go there. */
export async function teamUse(
  tx: Queryable,
  bucketId: BucketId,
  teamId: TeamId,
  options: { writing: boolean },
): Promise<{ id: ProjectId; name: string }[]> {
  const { rows } = await tx.query<{ id: ProjectId; name: string }>(
    `select p.id, p.name from projects p where p.team_id = $2 and p.deleted_at is null and (p.bucket_id = $1
       or exists (select from tenants t where t.project_id = p.id and t.bucket_id = $1)
       or not $3 and exists (select from project_buckets pb where pb.project_id = p.id and pb.bucket_id = $1))
     order by p.id limit ${USE_LIMIT}`,
    [bucketId, teamId, options.writing],
  );
  return rows;
}
