import { createHash } from 'node:crypto';
import { findObject, type Queryable, setObjectDigests } from '@carcosa/database';
import { CarcosaError, isId } from '@carcosa/kernel';
import type { StoreRegistry } from '../buckets/store-registry.ts';

export interface ObjectHashingParts {
  db: Queryable;
  stores: StoreRegistry;
}

/**
 * Reads an object back once to learn its SHA-256 and MD5, where nothing saw the bytes come in. For the job `hash-object`; doing it
 * twice does no harm, and an object that is gone needs it no more.
 * @throws CarcosaError what the bucket says, `length_mismatch` when it gave another number of bytes than it took
 */
export async function hashStoredObject(
  { db, stores }: ObjectHashingParts,
  objectId: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<void> {
  const object = isId('object', objectId) ? await findObject(db, objectId) : null;
  if (!object || (object.sha256 && object.md5)) return;
  const store = await stores.storeFor(object.bucketId);
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  let length = 0;
  for await (const chunk of await store.read(object.storageKey, signal ? { signal } : {})) {
    const bytes = chunk as Uint8Array;
    length += bytes.length;
    sha256.update(bytes);
    md5.update(bytes);
  }
  if (length !== object.size)
    throw new CarcosaError('length_mismatch', { details: { expected: object.size, received: length } });
  await setObjectDigests(db, object.id, { sha256: sha256.digest(), md5: md5.digest() });
}
