import type { BucketId, FileId, ObjectId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

/** Where the bytes of an object are, and what is known of them. */
export interface ObjectRow {
  id: ObjectId;
  bucketId: BucketId;
  storageKey: string;
  size: number;
  sha256: Buffer | null;
  md5: Buffer | null;
}

export async function findObject(db: Queryable, id: ObjectId): Promise<ObjectRow | null> {
  const { rows } = await db.query<ObjectRow>(
    `select id, bucket_id as "bucketId", storage_key as "storageKey", size, sha256, md5 from objects where id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

/** The object that a version of a file has; null when it is gone. */
export async function findObjectOfFile(db: Queryable, id: FileId, version: number): Promise<ObjectRow | null> {
  const { rows } = await db.query<ObjectRow>(
    `select o.id, o.bucket_id as "bucketId", o.storage_key as "storageKey", o.size, o.sha256, o.md5
     from file_versions v join objects o on o.id = v.object_id where v.file_id = $1 and v.version = $2`,
    [id, version],
  );
  return rows[0] ?? null;
}

/** Notes the digests of an object, and of the files whose present content it is. */
export async function setObjectDigests(
  db: Queryable,
  id: ObjectId,
  digests: { sha256: Buffer; md5: Buffer },
): Promise<void> {
  await db.query(
    `with hashed as (update objects set sha256 = $2, md5 = $3 where id = $1 returning id, sha256, md5)
     update files f set sha256 = hashed.sha256, md5 = hashed.md5 from hashed where f.object_id = hashed.id`,
    [id, digests.sha256, digests.md5],
  );
}
