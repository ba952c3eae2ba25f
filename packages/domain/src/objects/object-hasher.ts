import { findObjectPlace, type Queryable, saveObjectHash } from '@carcosa/database';
import type { ObjectId } from '@carcosa/kernel';
import type { StoreRegistry } from '../buckets/store-registry.ts';
import { hashObject } from '../uploads/committed-content.ts';

/** Learns the SHA-256 of objects that came in without passing us, by reading them once. */
export class ObjectHasher {
  readonly #db: Queryable;
  readonly #stores: StoreRegistry;

  constructor(parts: { db: Queryable; stores: StoreRegistry }) {
    this.#db = parts.db;
    this.#stores = parts.stores;
  }

  /** Idempotent; an object that was purged meanwhile is no error. */
  async hash(id: ObjectId): Promise<void> {
    const object = await findObjectPlace(this.#db, id);
    if (!object || object.hashed) return;
    const store = await this.#stores.storeFor(object.bucketId);
    await saveObjectHash(this.#db, id, await hashObject(store, object.storageKey));
  }
}
