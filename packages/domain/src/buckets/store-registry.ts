import type { BucketId } from '@carcosa/kernel';
import type { ObjectStore } from '@carcosa/storage/port';

/** Finds the store of a bucket; the composition root knows the adapters. */
export interface StoreRegistry {
  /** @throws CarcosaError `storage_misconfigured` when the bucket cannot be opened as it is set. */
  storeFor(bucketId: BucketId): Promise<ObjectStore>;
}
