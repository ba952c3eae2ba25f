import { findWritableBucket, holdTeamBucket, type Queryable } from '@carcosa/database';
import { type BucketId, CarcosaError, isId } from '@carcosa/kernel';
import type { Place } from '../access/grant.ts';
import type { ProjectBuckets } from '../projects/service.ts';

/**
 * Which buckets a team may use: those of its organization that are shared with it, and those that the server itself gave the
 * organization. What is asked in a transaction stays true until it ends, so that nothing is shared no more while somebody begins to use it.
 */
export class TeamBuckets implements ProjectBuckets {
  /** @throws CarcosaError `not_found` for a bucket that the team may not know of, `forbidden` for one that it may only read */
  async assertWritable(tx: Queryable, place: Place, bucketId: string): Promise<BucketId> {
    const { id, mayWrite } = await held(tx, place, bucketId);
    if (mayWrite) return id;
    throw new CarcosaError('forbidden', {
      message: 'The bucket is shared with the team for reading only; ask an owner or admin of the organization.',
      details: { bucketId: id },
    });
  }

  /** @throws CarcosaError `not_found` for a bucket that the team may not know of */
  async assertReadable(tx: Queryable, place: Place, bucketId: string): Promise<BucketId> {
    return (await held(tx, place, bucketId)).id;
  }

  /** The oldest bucket that the team may write to; null where there is none. */
  async firstWritable(tx: Queryable, place: Place): Promise<BucketId | null> {
    const found = await findWritableBucket(tx, place);
    return found && (await this.assertWritable(tx, place, found));
  }
}

async function held(tx: Queryable, place: Place, bucketId: string): Promise<{ id: BucketId; mayWrite: boolean }> {
  const bucket = isId('bucket', bucketId) ? await holdTeamBucket(tx, place, bucketId) : null;
  const { access = null, fromEnvironment = false } = bucket ?? {};
  if (!bucket || (!access && !fromEnvironment)) throw new CarcosaError('not_found');
  return { id: bucket.id, mayWrite: fromEnvironment || access === 'read-write' || access === 'admin' };
}
