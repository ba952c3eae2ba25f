import type { BucketId, OrganizationId, TeamId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** Channel on which `{bucketId}` is announced when what a bucket is opened with was changed, or the bucket removed. */
export const BUCKETS_CHANNEL = 'carcosa_buckets';

export interface BucketRow {
  id: BucketId;
  organizationId: OrganizationId;
  name: string;
  provider: 'local' | 's3';
  config: Record<string, unknown>;
  /** Sealed; null for a local bucket and for one from the environment. */
  credentials: Buffer | null;
  fromEnvironment: boolean;
  createdAt: Date;
}

const COLUMNS = `b.id, b.organization_id as "organizationId", b.name, b.provider, b.config, b.credentials,
  b.from_environment as "fromEnvironment", b.created_at as "createdAt"`;

export async function findBucket(db: Queryable, id: BucketId): Promise<BucketRow | null> {
  const { rows } = await db.query<BucketRow>(`select ${COLUMNS} from buckets b where b.id = $1`, [id]);
  return rows[0] ?? null;
}

/** Nobody else changes it, begins to use it or shares it until the transaction ends. */
export async function lockBucket(tx: Queryable, id: BucketId): Promise<BucketRow | null> {
  const { rows } = await tx.query<BucketRow>(`select ${COLUMNS} from buckets b where b.id = $1 for update`, [id]);
  return rows[0] ?? null;
}

/** Which buckets somebody may know of. */
export interface VisibleBuckets {
  /** All of these organizations. */
  managed: readonly OrganizationId[];
  /** Those that are shared with these teams, as long as they are of these organizations. */
  teams: readonly TeamId[];
  organizations: readonly OrganizationId[];
}

/** Up to `limit` buckets after `after`, in the order of ids. `visible` null: every one. */
export async function listBuckets(
  db: Queryable,
  visible: VisibleBuckets | null,
  options: { organizationId: OrganizationId | null; after: string; limit: number },
): Promise<BucketRow[]> {
  const { rows } = await db.query<BucketRow>(
    `select ${COLUMNS} from buckets b
     where b.id > $1 and ($2::text is null or b.organization_id = $2)
       and ($3::text[] is null or b.organization_id = any($3) or exists (
         select from bucket_shares s join teams t on t.id = s.team_id
         where s.bucket_id = b.id and s.team_id = any($4::text[]) and t.organization_id = any($5::text[])))
     order by b.id limit $6`,
    [
      options.after,
      options.organizationId,
      visible ? visible.managed : null,
      visible ? visible.teams : [],
      visible ? visible.organizations : [],
      options.limit,
    ],
  );
  return rows;
}

/** @throws the database's unique_violation for a name that the organization has already */
export async function insertBucket(
  tx: Queryable,
  row: Omit<BucketRow, 'createdAt' | 'fromEnvironment'>,
): Promise<Date> {
  const { rows } = await tx.query<{ createdAt: Date }>(
    `insert into buckets (id, organization_id, name, provider, config, credentials, created_at)
     values ($1, $2, $3, $4, $5, $6, now()) returning created_at as "createdAt"`,
    [row.id, row.organizationId, row.name, row.provider, JSON.stringify(row.config), row.credentials],
  );
  return (rows[0] as { createdAt: Date }).createdAt;
}

/** Gives a bucket these values, and tells every node where it has to be opened anew. */
export async function updateBucket(
  tx: Queryable,
  row: Pick<BucketRow, 'id' | 'name' | 'config' | 'credentials'>,
  options: { reopen: boolean },
): Promise<void> {
  await tx.query('update buckets set name = $2, config = $3, credentials = $4 where id = $1', [
    row.id,
    row.name,
    JSON.stringify(row.config),
    row.credentials,
  ]);
  if (options.reopen) await announce(tx, row.id);
}

/** Removes a bucket that {@link bucketUse} has found unused, with its shares and what is remembered of ended uploads. */
export async function deleteBucket(tx: Queryable, id: BucketId): Promise<void> {
  // All objects are looked through: rows that refer to the bucket are found by no index, which every upload would pay for.
  await tx.query("set local statement_timeout = '10min'");
  await tx.query(`delete from uploads where bucket_id = $1 and status <> 'open' and collect_after is null`, [id]);
  await tx.query('delete from buckets where id = $1', [id]);
  await announce(tx, id);
}

async function announce(tx: Queryable, bucketId: BucketId): Promise<void> {
  await tx.query('select pg_notify($1, $2)', [BUCKETS_CHANNEL, JSON.stringify({ bucketId })]);
}
