import type { BucketId, OrganizationId, TeamId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

export type BucketAccess = 'read-only' | 'read-write' | 'admin';

/** A bucket as a team sees it. */
export interface TeamBucket {
  id: BucketId;
  access: BucketAccess;
}

// What the server itself provides is there for every team of the organization; other buckets are for those that they are shared with.
const VISIBLE = `select b.id, coalesce(s.access, 'read-write') as access from buckets b
  left join bucket_shares s on s.bucket_id = b.id and s.team_id = $2
  where b.organization_id = $1 and (s.access is not null or b.from_environment or b.provider = 'local')`;

/** What the team may do with the bucket; null when it may not know of it. */
export async function findTeamBucket(
  db: Queryable,
  place: { organizationId: OrganizationId; teamId: TeamId },
  id: BucketId,
): Promise<TeamBucket | null> {
  const { rows } = await db.query<TeamBucket>(`${VISIBLE} and b.id = $3`, [place.organizationId, place.teamId, id]);
  return rows[0] ?? null;
}

/** The oldest bucket that the team may write to. */
export async function firstWritableBucket(
  db: Queryable,
  place: { organizationId: OrganizationId; teamId: TeamId },
): Promise<BucketId | null> {
  const { rows } = await db.query<TeamBucket>(
    `${VISIBLE} and coalesce(s.access, 'read-write') <> 'read-only' order by b.id limit 1`,
    [place.organizationId, place.teamId],
  );
  return rows[0]?.id ?? null;
}
