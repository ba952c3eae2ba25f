import type { Queryable } from '@carcosa/database';
import {
  type Access,
  BucketExaminer,
  BucketService,
  BucketSharing,
  type BucketStores,
  ProjectBucketService,
  type Sealer,
  type TeamBuckets,
} from '@carcosa/domain';
import type { Clock, IdGenerator } from '@carcosa/kernel';

export interface ComposeBucketsInput {
  db: Queryable;
  transaction: <Result>(work: (tx: Queryable) => Promise<Result>) => Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  publicUrl: string;
  access: Access;
  sealer: Sealer;
  stores: BucketStores;
  teamBuckets: TeamBuckets;
  /** Told of a project whose buckets were changed here. */
  onChange: (projectId: string) => void;
}

/** What has to do with buckets as things that people make, share and look after. */
export function composeBuckets({ onChange, ...common }: ComposeBucketsInput) {
  const { stores } = common;
  return {
    buckets: new BucketService({ ...common, onChange: (id) => stores.refresh(id) }),
    bucketSharing: new BucketSharing(common),
    bucketExaminer: new BucketExaminer(common),
    projectBuckets: new ProjectBucketService({ ...common, onChange }),
  };
}
