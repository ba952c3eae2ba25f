import type { BucketId, ObjectId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

export interface ObjectPlace {
  bucketId: BucketId;
  storageKey: string;
  /** Whether its SHA-256 is known. */
  hashed: boolean;
}

export async function findObjectPlace(db: Queryable, id: ObjectId): Promise<ObjectPlace | null> {
  const { rows } = await db.query<ObjectPlace>(
    `select bucket_id as "bucketId", storage_key as "storageKey", sha256 is not null as hashed from objects where id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

/** Notes the SHA-256 (hex) of an object, and of the files whose present content it is. */
export async function saveObjectHash(db: Queryable, id: ObjectId, sha256: string): Promise<void> {
  await db.query(
    `with hashed as (update objects set sha256 = decode($2, 'hex') where id = $1 returning id, sha256)
     update files f set sha256 = hashed.sha256 from hashed where f.object_id = hashed.id`,
    [id, sha256],
  );
}
