import { type BucketRow, findBucket, type Queryable } from '@carcosa/database';
import { type BucketId, CarcosaError } from '@carcosa/kernel';
import type { ObjectStore } from '@carcosa/storage/port';
import type { StoreRegistry } from './store-registry.ts';

/** Opens a bucket of each provider. @throws CarcosaError `storage_misconfigured` */
export type BucketOpeners = Record<BucketRow['provider'], (bucket: BucketRow) => Promise<ObjectStore>>;

/** Opens the store of each bucket once, when it is first needed. */
export class BucketStores implements StoreRegistry {
  readonly #db: Queryable;
  readonly #openers: BucketOpeners;
  readonly #stores = new Map<BucketId, Promise<ObjectStore>>();

  constructor(parts: { db: Queryable; openers: BucketOpeners }) {
    this.#db = parts.db;
    this.#openers = parts.openers;
  }

  storeFor(bucketId: BucketId): Promise<ObjectStore> {
    const opened = this.#stores.get(bucketId);
    if (opened) return opened;
    const opening = this.#open(bucketId);
    this.#stores.set(bucketId, opening);
    // A bucket that could not be opened is tried again by whoever asks next.
    opening.catch(() => this.#stores.delete(bucketId));
    return opening;
  }

  async close(): Promise<void> {
    const stores = await Promise.allSettled(this.#stores.values());
    this.#stores.clear();
    await Promise.all(stores.map((store) => (store.status === 'fulfilled' ? store.value.close() : undefined)));
  }

  async #open(bucketId: BucketId): Promise<ObjectStore> {
    const bucket = await findBucket(this.#db, bucketId);
    if (!bucket) throw new CarcosaError('storage_misconfigured', { message: 'The bucket is not known any more.' });
    return await this.#openers[bucket.provider](bucket);
  }
}
