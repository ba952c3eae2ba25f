import type { Bucket, ShareBucketBody } from '@carcosa/contracts';
import {
  type BucketRow,
  type BucketShareRow,
  deleteShare,
  findBucket,
  holdTeam,
  listShares,
  lockBucket,
  type Queryable,
  teamUse,
  upsertShare,
} from '@carcosa/database';
import { CarcosaError, type Clock, isId, type TeamId } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import { aboutBucket } from './about-bucket.ts';
import { assertBucketControl, knownBucket } from './bucket-decision.ts';
import { toBucket } from './bucket-view.ts';

export interface BucketSharingParts {
  db: Queryable;
  transaction: <Result>(work: (tx: Queryable) => Promise<Result>) => Promise<Result>;
  clock: Clock;
}

/** Says which teams may use a bucket of their organization. For its owners and admins alone. */
export class BucketSharing {
  readonly #parts: BucketSharingParts;

  constructor(parts: BucketSharingParts) {
    this.#parts = parts;
  }

  /**
   * Shares the bucket with a team, or changes what the team may do.
   * @throws CarcosaError `not_found` for a team of another organization, `bucket_in_use` when projects of the team write to what
   * would become read-only
   */
  async share(actor: Actor, id: string, { teamId, access }: ShareBucketBody): Promise<Bucket> {
    const { transaction, clock } = this.#parts;
    return await transaction(async (tx) => {
      const { row, shares } = await lockManaged(tx, actor, id);
      const team = await holdShareableTeam(tx, teamId, row);
      if (access === 'read-only') await this.#assertNotUsed(tx, row, team, { writing: true });
      await upsertShare(tx, { bucketId: row.id, teamId: team, access });
      const before = shareOf(shares, team)?.access;
      const states = { ...(before ? { before: { teamId, access: before } } : {}), after: { teamId, access } };
      await record(tx, clock, actor, { action: 'bucket.share', ...aboutBucket(row), ...states });
      return await view(tx, actor, row);
    });
  }

  /** @throws CarcosaError `not_found` where the team has no share, `bucket_in_use` while projects of the team use the bucket */
  async unshare(actor: Actor, id: string, teamId: string): Promise<Bucket> {
    const { transaction, clock } = this.#parts;
    return await transaction(async (tx) => {
      const { row, shares } = await lockManaged(tx, actor, id);
      const share = shareOf(shares, teamId);
      if (!share) throw new CarcosaError('not_found');
      await this.#assertNotUsed(tx, row, share.teamId, { writing: false });
      await deleteShare(tx, row.id, share.teamId);
      const before = { teamId, access: share.access };
      await record(tx, clock, actor, { action: 'bucket.unshare', ...aboutBucket(row), before });
      return await view(tx, actor, row);
    });
  }

  async #assertNotUsed(tx: Queryable, row: BucketRow, teamId: TeamId, how: { writing: boolean }): Promise<void> {
    // All teams of the organization may use what the server itself gave it.
    const projects = row.fromEnvironment ? [] : await teamUse(tx, row.id, teamId, how);
    if (projects.length === 0) return;
    throw new CarcosaError('bucket_in_use', {
      message: 'Projects of the team use the bucket: give them, and their tenants, another one first.',
      details: { projects },
    });
  }
}

/** The team, if it is of the bucket's organization; it stays until the transaction ends. @throws CarcosaError `not_found` */
export async function holdShareableTeam(
  tx: Queryable,
  teamId: string,
  { organizationId }: Pick<BucketRow, 'organizationId'>,
): Promise<TeamId> {
  if (isId('team', teamId) && (await holdTeam(tx, teamId, organizationId))) return teamId;
  throw new CarcosaError('not_found', { message: 'The organization of the bucket has no such team.' });
}

async function lockManaged(
  tx: Queryable,
  actor: Actor,
  id: string,
): Promise<{ row: BucketRow; shares: BucketShareRow[] }> {
  const row = await lockBucket(tx, knownBucket(id));
  if (!row) throw new CarcosaError('not_found');
  const shares = await listShares(tx, [row.id]);
  assertBucketControl(actor, 'manage', row, shares);
  return { row, shares };
}

async function view(tx: Queryable, actor: Actor, { id }: BucketRow): Promise<Bucket> {
  const row = await findBucket(tx, id);
  if (!row) throw new CarcosaError('not_found');
  return toBucket(actor, row, await listShares(tx, [id]));
}

const shareOf = (shares: readonly BucketShareRow[], teamId: string): BucketShareRow | undefined =>
  shares.find((share) => share.teamId === teamId);
