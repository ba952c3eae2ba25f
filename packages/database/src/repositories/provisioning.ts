import type { BucketId, OrganizationId, ProjectId, TeamId } from '@carcosa/kernel';
import type { BucketRow } from './buckets/index.ts';
import type { ProjectRow } from './projects.ts';
import type { Queryable } from './queryable.ts';

/** Waits until no other node provisions; ends with the transaction. */
export async function lockProvisioning(tx: Queryable): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtext('carcosa:provisioning'))");
}

/** The project that a first start made, by the slugs that it gave. */
export async function findDefaultProject(
  db: Queryable,
  slug: string,
): Promise<{ id: ProjectId; bucketId: BucketId; organizationId: OrganizationId } | null> {
  const { rows } = await db.query<{ id: ProjectId; bucketId: BucketId; organizationId: OrganizationId }>(
    `select p.id, p.bucket_id as "bucketId", p.organization_id as "organizationId"
     from projects p join teams t on t.id = p.team_id join organizations o on o.id = p.organization_id
     where p.slug = $1 and t.slug = $1 and o.slug = $1`,
    [slug],
  );
  return rows[0] ?? null;
}

export async function insertOrganization(
  tx: Queryable,
  row: { id: OrganizationId; name: string; slug: string },
): Promise<void> {
  await tx.query('insert into organizations (id, name, slug, created_at) values ($1, $2, $3, now())', [
    row.id,
    row.name,
    row.slug,
  ]);
}

export async function insertTeam(
  tx: Queryable,
  row: { id: TeamId; organizationId: OrganizationId; name: string; slug: string },
): Promise<void> {
  await tx.query('insert into teams (id, organization_id, name, slug, created_at) values ($1, $2, $3, $4, now())', [
    row.id,
    row.organizationId,
    row.name,
    row.slug,
  ]);
}

/** Makes the bucket of the environment, or gives the one of that name these settings. */
export async function upsertBucket(
  tx: Queryable,
  row: Pick<BucketRow, 'id' | 'organizationId' | 'name' | 'provider' | 'config'>,
): Promise<BucketId> {
  const { rows } = await tx.query<{ id: BucketId }>(
    `insert into buckets as b (id, organization_id, name, provider, config, from_environment, created_at)
     values ($1, $2, $3, $4, $5, true, now())
     on conflict (organization_id, name) do update set config = excluded.config, from_environment = true returning b.id`,
    [row.id, row.organizationId, row.name, row.provider, JSON.stringify(row.config)],
  );
  return rows[0]?.id ?? row.id;
}

export async function insertProject(
  tx: Queryable,
  row: Pick<ProjectRow, 'id' | 'organizationId' | 'teamId' | 'bucketId' | 'name' | 'slug' | 'settings'>,
): Promise<void> {
  await tx.query(
    `insert into projects (id, organization_id, team_id, bucket_id, name, slug, settings, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, now(), now())`,
    [row.id, row.organizationId, row.teamId, row.bucketId, row.name, row.slug, JSON.stringify(row.settings)],
  );
}

/** New files of the project go here from now on; what it has stays where it is. */
export async function setProjectBucket(tx: Queryable, id: ProjectId, bucketId: BucketId): Promise<void> {
  await tx.query('update projects set bucket_id = $2, updated_at = now() where id = $1 and bucket_id <> $2', [
    id,
    bucketId,
  ]);
}
