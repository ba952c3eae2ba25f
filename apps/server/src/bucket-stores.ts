import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BucketRow, findBucket, type Queryable } from '@carcosa/database';
import type { DefaultBucket, StoreRegistry } from '@carcosa/domain';
import { type BucketId, CarcosaError } from '@carcosa/kernel';
import type { HashPool } from '@carcosa/storage/adapters/local';
import type { ObjectStore } from '@carcosa/storage/port';
import type { S3Settings } from './config.ts';

export interface BucketStoresParts {
  db: Queryable;
  dataDir: string;
  s3: S3Settings | undefined;
}

/**
 * Opens the store of a bucket by its row, once. Part of the composition: it and `compose.ts` alone know the adapters, and each
 * of them is loaded when the first bucket needs it, because the S3 client is large.
 */
export class BucketStores implements StoreRegistry {
  readonly #parts: BucketStoresParts;
  readonly #stores = new Map<BucketId, Promise<ObjectStore>>();
  #hashes: HashPool | undefined;

  constructor(parts: BucketStoresParts) {
    this.#parts = parts;
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
    await this.#hashes?.close();
  }

  async #open(bucketId: BucketId): Promise<ObjectStore> {
    const row = await findBucket(this.#parts.db, bucketId);
    if (!row) throw new CarcosaError('storage_misconfigured', { message: 'The bucket is not known any more.' });
    return row.provider === 'local' ? await this.#openLocal(row) : await this.#openS3(row);
  }

  async #openLocal(row: BucketRow): Promise<ObjectStore> {
    const { HashPool, LocalObjectStore } = await import('@carcosa/storage/adapters/local');
    const root = localRoot(this.#parts.dataDir, row.id);
    await mkdir(root, { recursive: true, mode: 0o750 });
    this.#hashes ??= new HashPool();
    return await LocalObjectStore.open({ root, hashes: this.#hashes });
  }

  async #openS3(row: BucketRow): Promise<ObjectStore> {
    const { s3 } = this.#parts;
    // The row says which bucket it is; only the environment of that very bucket knows how to open it.
    if (!s3 || defaultBucket(s3).name !== row.name) {
      throw new CarcosaError('storage_misconfigured', { message: `The bucket "${row.name}" needs its CARCOSA_S3_ variables.` });
    }
    const { S3ObjectStore } = await import('@carcosa/storage/adapters/s3');
    const { endpoint, region, bucket, prefix, forcePathStyle: pathStyle, credentials } = s3;
    return await S3ObjectStore.open({ ...(endpoint ? { endpoint } : {}), region, bucket, prefix, pathStyle, credentials });
  }
}

/** Where a local bucket lies. */
export function localRoot(dataDir: string, bucketId: BucketId): string {
  return join(dataDir, 'buckets', bucketId);
}

/**
 * What the environment says of the default bucket. Credentials are no part of it: the row says which bucket, and the
 * environment of each process how to open it.
 */
export function defaultBucket(s3: S3Settings | undefined): DefaultBucket {
  if (!s3) return { name: 'local', provider: 'local', config: {} };
  const { endpoint = null, region, bucket, prefix, forcePathStyle } = s3;
  const place = [endpoint ? new URL(endpoint).host : 'aws', bucket, prefix].filter(Boolean).join('/');
  return { name: `s3 ${place}`, provider: 's3', config: { endpoint, region, bucket, prefix, forcePathStyle } };
}
