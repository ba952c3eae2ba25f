import type { BucketId, OrganizationId, TeamId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

export interface BucketShareRow {
  bucketId: BucketId;
  teamId: TeamId;
  access: 'read-only' | 'read-write' | 'admin';
  createdAt: Date;
}

const COLUMNS = 'bucket_id as "bucketId", team_id as "teamId", access, created_at as "createdAt"';

export async function listShares(db: Queryable, bucketIds: readonly BucketId[]): Promise<BucketShareRow[]> {
  const { rows } = await db.query<BucketShareRow>(
    `select ${COLUMNS} from bucket_shares where bucket_id = any($1) order by bucket_id, team_id`,
    [bucketIds],
  );
  return rows;
}

/** Whether there is such a team in the organization; it stays there until the transaction ends. */
export async function holdTeam(tx: Queryable, teamId: string, organizationId: OrganizationId): Promise<boolean> {
  const { rowCount } = await tx.query('select 1 from teams where id = $1 and organization_id = $2 for key share', [
    teamId,
    organizationId,
  ]);
  return rowCount === 1;
}

/** Shares the bucket with the team, or changes what the team may do. */
export async function upsertShare(tx: Queryable, share: Omit<BucketShareRow, 'createdAt'>): Promise<void> {
  await tx.query(
    `insert into bucket_shares (bucket_id, team_id, access, created_at) values ($1, $2, $3, now())
     on conflict (bucket_id, team_id) do update set access = excluded.access`,
    [share.bucketId, share.teamId, share.access],
  );
}

export async function deleteShare(tx: Queryable, bucketId: BucketId, teamId: TeamId): Promise<void> {
  await tx.query('delete from bucket_shares where bucket_id = $1 and team_id = $2', [bucketId, teamId]);
}

/** What a team may do with a bucket of its own organization. */
export interface TeamBucket {
  id: BucketId;
  fromEnvironment: boolean;
  access: BucketShareRow['access'] | null;
}

/** The bucket as a team sees it, if it is of the team's organization; its shares stay as they are until the transaction ends. */
export async function holdTeamBucket(
  tx: Queryable,
  place: { organizationId: OrganizationId; teamId: TeamId },
  bucketId: string,
): Promise<TeamBucket | null> {
  // Two statements: the second sees what somebody has committed for whom the first had to wait.
  await tx.query('select 1 from buckets where id = $1 for key share', [bucketId]);
  const { rows } = await tx.query<TeamBucket>(
    `select b.id, b.from_environment as "fromEnvironment",
       (select s.access from bucket_shares s where s.bucket_id = b.id and s.team_id = $3) as access
     from buckets b where b.id = $1 and b.organization_id = $2`,
    [bucketId, place.organizationId, place.teamId],
  );
  return rows[0] ?? null;
}

/** The oldest bucket that a team may write to: of those shared with it, else of those from the environment. */
export async function findWritableBucket(
  db: Queryable,
  place: { organizationId: OrganizationId; teamId: TeamId },
): Promise<BucketId | null> {
  const { rows } = await db.query<{ id: BucketId }>(
    `select b.id from buckets b left join bucket_shares s on s.bucket_id = b.id and s.team_id = $2
     where b.organization_id = $1 and (s.access in ('read-write', 'admin') or b.from_environment)
     order by s.access is null or s.access = 'read-only', b.id limit 1`,
    [place.organizationId, place.teamId],
  );
  return rows[0]?.id ?? null;
}
