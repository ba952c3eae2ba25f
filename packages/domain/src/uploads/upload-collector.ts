import {
  acquireToCollect,
  endUpload,
  findCollectable,
  forgetEndedUploads,
  markCollected,
  postponeCollection,
  type Queryable,
  type UploadRow,
} from '@carcosa/database';
import type { Clock, Logger } from '@carcosa/kernel';
import type { StoreRegistry } from '../buckets/store-registry.ts';

const BATCH = 100;
/** When a bucket that did not let go of bytes is asked again. */
const RETRY_MS = 10 * 60 * 1000;
/** How long an upload that ended can still be asked about. */
const REMEMBER_MS = 7 * 24 * 3600 * 1000;

export interface UploadCollectorOptions {
  db: Queryable;
  stores: StoreRegistry;
  clock: Clock;
  logger: Logger;
  /** Names this process among the holders of leases. */
  instance: string;
}

/** Removes what uploads left behind that expired, were aborted, or died with their process. */
export class UploadCollector {
  readonly #options: UploadCollectorOptions;

  constructor(options: UploadCollectorOptions) {
    this.#options = options;
  }

  /** @returns the number of uploads whose bytes were removed */
  async collect(): Promise<number> {
    const { db, clock, logger } = this.#options;
    const seen = new Set<string>();
    let collected = 0;
    for (;;) {
      const due = (await findCollectable(db, clock.now(), BATCH)).filter((upload) => !seen.has(upload.id));
      if (due.length === 0) break;
      for (const upload of due) {
        seen.add(upload.id);
        try {
          if (await this.#collectOne(upload)) collected += 1;
        } catch (error) {
          logger.warn({ err: error, uploadId: upload.id }, 'could not remove the bytes of an ended upload');
          // A bucket that does not answer now must not keep the others waiting.
          await postponeCollection(db, upload.id, clock.now() + RETRY_MS);
        }
      }
    }
    await forgetEndedUploads(db, clock.now() - REMEMBER_MS);
    return collected;
  }

  async #collectOne(upload: UploadRow): Promise<boolean> {
    const { db, stores, clock } = this.#options;
    if (upload.status === 'open' && !(await this.#expire(upload))) return false;
    const store = await stores.storeFor(upload.bucketId);
    await store.discard({ uploadId: upload.id, key: upload.storageKey, ref: upload.staged });
    // Without a completion nothing refers to the bytes, even if they got their final name before a crash.
    if (upload.status !== 'completed') await store.delete(upload.storageKey);
    // Whoever held it may only sleep, and leave something when it wakes: look again before forgetting it.
    if (upload.status === 'open' && upload.leaseOwner !== null)
      await postponeCollection(db, upload.id, clock.now() + RETRY_MS);
    else await markCollected(db, upload.id);
    return true;
  }

  /** Ends an open upload under a lease of our own, so that a former writer that wakes up is fenced. */
  async #expire(upload: UploadRow): Promise<boolean> {
    const { db, clock, instance } = this.#options;
    const lease = await acquireToCollect(db, upload.id, instance, clock.now());
    return lease !== null && endUpload(db, upload.id, lease, 'expired', clock.now());
  }
}
