import type { BucketId, ObjectId } from '@carcosa/kernel';
import { notifyKeys } from './files/notify-files.ts';
import type { Queryable } from './queryable.ts';

export interface StoredObject {
  id: ObjectId;
  bucketId: BucketId;
  storageKey: string;
  /** Bytes. */
  size: number;
  sha256: Buffer | null;
  md5: Buffer | null;
}

export async function findObject(db: Queryable, id: ObjectId): Promise<StoredObject | null> {
  const { rows } = await db.query<StoredObject>(
    'select id, bucket_id as "bucketId", storage_key as "storageKey", size, sha256, md5 from objects where id = $1',
    [id],
  );
  return rows[0] ?? null;
}

/** Writes the digests of an object, and of the files whose present content it is; caches of all processes forget those. */
export async function setObjectDigests(db: Queryable, id: ObjectId, digests: { sha256: Buffer; md5: Buffer }): Promise<void> {
  await db.query(
    `with hashed as (update objects set sha256 = $2, md5 = $3 where id = $1 returning id),
      changed as (update files set sha256 = $2, md5 = $3 from hashed where object_id = hashed.id returning key)
     select announced from (select 1) always left join (${notifyKeys('changed')}) announcement on true`,
    [id, digests.sha256, digests.md5],
  );
}
