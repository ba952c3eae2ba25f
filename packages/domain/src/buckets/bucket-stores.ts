import { isDeepStrictEqual } from 'node:util';
import { type BucketRow, deleteUnreferenced, findBucket, type Queryable } from '@carcosa/database';
import { type BucketId, CarcosaError, type Clock, type Logger } from '@carcosa/kernel';
import { objectIdOf } from '@carcosa/storage';
import type { ObjectStore } from '@carcosa/storage/port';
import type { StoreRegistry } from './store-registry.ts';

/** Opens a bucket of each provider. @throws CarcosaError `storage_misconfigured` */
export type BucketOpeners = Record<BucketRow['provider'], (bucket: BucketRow) => Promise<ObjectStore>>;

/**
 * Milliseconds for which a store that was replaced stays open: uploads and downloads that began with it go on with it. What takes longer
 * loses its connections once, and makes new ones.
 */
const RETIREMENT_MS = 15 * 60_000;

interface Opened {
  /** What the store was opened with. */
  row: Promise<BucketRow>;
  store: Promise<ObjectStore>;
}

/** Opens the store of each bucket once, when it is first needed, and anew when its bucket was changed. */
export class BucketStores implements StoreRegistry {
  readonly #db: Queryable;
  readonly #openers: BucketOpeners;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #opened = new Map<BucketId, Opened>();
  readonly #retired = new Map<Promise<ObjectStore>, NodeJS.Timeout>();

  constructor(parts: { db: Queryable; openers: BucketOpeners; logger: Logger; clock: Clock }) {
    this.#clock = parts.clock;
    this.#db = parts.db;
    this.#openers = parts.openers;
    this.#logger = parts.logger;
  }

  storeFor(bucketId: BucketId): Promise<ObjectStore> {
    const opened = this.#opened.get(bucketId);
    if (opened) return opened.store;
    const row = this.#read(bucketId);
    const opening = { row, store: row.then((found) => this.#open(found)) };
    this.#opened.set(bucketId, opening);
    // A bucket that could not be opened is tried again by whoever asks next.
    opening.store.catch(() => this.#forget(bucketId, opening));
    return opening.store;
  }

  /**
   * Drops the store of a bucket, or of each, that is not any more what it was opened with. Whoever asks next gets a new one.
   * @param bucketId absent: changes may have gone unheard
   */
  async refresh(bucketId?: BucketId): Promise<void> {
    const ids = bucketId === undefined ? [...this.#opened.keys()] : [bucketId];
    await Promise.all(ids.map((id) => this.#refreshOne(id)));
  }

  /** As {@link refresh}, for announcements, to which nobody answers. */
  bucketChanged(bucketId?: BucketId): void {
    this.refresh(bucketId).catch((error: unknown) => {
      this.#logger.warn(
        { err: error, bucketId },
        'could not learn what became of a bucket; opening it anew when it is needed',
      );
      for (const [id, opened] of this.#opened) if (bucketId === undefined || id === bucketId) this.#retire(id, opened);
    });
  }

  async close(): Promise<void> {
    const all = [...[...this.#opened.values()].map(({ store }) => store), ...this.#retired.keys()];
    for (const timer of this.#retired.values()) clearTimeout(timer);
    this.#opened.clear();
    this.#retired.clear();
    const stores = await Promise.allSettled(all);
    await Promise.all(stores.map((store) => (store.status === 'fulfilled' ? store.value.close() : undefined)));
  }

  async #open(bucket: BucketRow): Promise<ObjectStore> {
    const store = await this.#openers[bucket.provider](bucket);
    const recovered = (store.recovered ?? []).flatMap((storageKey) => {
      const id = objectIdOf(storageKey);
      return id === null ? [] : [{ id, storageKey }];
    });
    if (recovered.length > 0) {
      this.#logger.warn(
        { bucketId: bucket.id, files: recovered.length },
        'files that a crash had torn are whole again',
      );
      await deleteUnreferenced(this.#db, bucket.id, recovered, this.#clock.now());
    }
    return store;
  }

  async #read(bucketId: BucketId): Promise<BucketRow> {
    const bucket = await findBucket(this.#db, bucketId);
    if (!bucket) throw new CarcosaError('storage_misconfigured', { message: 'The bucket is not known any more.' });
    return bucket;
  }

  async #refreshOne(bucketId: BucketId): Promise<void> {
    const opened = this.#opened.get(bucketId);
    if (!opened) return;
    const [before, now] = await Promise.all([opened.row.catch(() => null), findBucket(this.#db, bucketId)]);
    if (!before || !now || !isOpenedAlike(before, now)) this.#retire(bucketId, opened);
  }

  #retire(bucketId: BucketId, opened: Opened): void {
    if (!this.#forget(bucketId, opened)) return;
    const { store } = opened;
    const timer = setTimeout(() => {
      this.#retired.delete(store);
      store.then((each) => each.close()).catch(() => {});
    }, RETIREMENT_MS);
    timer.unref();
    this.#retired.set(store, timer);
  }

  #forget(bucketId: BucketId, opened: Opened): boolean {
    return this.#opened.get(bucketId) === opened && this.#opened.delete(bucketId);
  }
}

function isOpenedAlike(one: BucketRow, other: BucketRow): boolean {
  const what = ({ provider, config, credentials }: BucketRow) => ({ provider, config, credentials });
  return isDeepStrictEqual(what(one), what(other));
}
