import { findTeamBucket, firstWritableBucket, type Queryable } from '@carcosa/database';
import { type BucketId, CarcosaError, isId } from '@carcosa/kernel';
import type { Place } from '../access/grant.ts';
import type { ProjectBuckets } from '../projects/service.ts';

/** Which buckets a team may put files into: those that its organization shares with it to write, and those of the server itself. */
export class TeamBuckets implements ProjectBuckets {
  async assertWritable(tx: Queryable, place: Place, bucketId: string): Promise<BucketId> {
    const bucket = isId('bucket', bucketId) ? await findTeamBucket(tx, place, bucketId) : null;
    if (!bucket)
      throw new CarcosaError('not_found', { message: 'There is no bucket with that id that the team may use.' });
    if (bucket.access === 'read-only') {
      throw new CarcosaError('forbidden', { message: 'The team may only read that bucket.', details: { bucketId } });
    }
    return bucket.id;
  }

  firstWritable(tx: Queryable, place: Place): Promise<BucketId | null> {
    return firstWritableBucket(tx, place);
  }
}
