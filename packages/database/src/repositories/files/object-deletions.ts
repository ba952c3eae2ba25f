import type { BucketId, ObjectId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** Bytes in a bucket that nothing refers to. */
export interface ObjectDeletion {
  id: ObjectId;
  bucketId: BucketId;
  storageKey: string;
  /** How often their removal has been begun, this time included; 0 for bytes that were announced and then not filed. */
  attempts: number;
}

/**
 * Takes up to `limit` due deletions for this process until `heldUntil`; when it has not finished them by then, they are due again.
 * Both in milliseconds since the epoch. Never the same ones for two processes.
 */
export async function claimObjectDeletions(
  db: Queryable,
  claim: { now: number; heldUntil: number; limit: number },
): Promise<ObjectDeletion[]> {
  const { rows } = await db.query<ObjectDeletion>(
    `with due as (
       select id from object_deletions where due_at <= to_timestamp($1::float8 / 1000)
       order by due_at limit $3 for update skip locked
     )
     update object_deletions d set due_at = to_timestamp($2::float8 / 1000), attempts = d.attempts + 1
     from due where d.id = due.id
     returning d.id, d.bucket_id as "bucketId", d.storage_key as "storageKey", d.attempts`,
    [claim.now, claim.heldUntil, claim.limit],
  );
  return rows;
}

/**
 * The bytes are gone. Those that somebody had announced without completing (see `PendingObject`: their first claim is number 0)
 * are looked for once more ten minutes after the claim lapses, because their writer may only have slept.
 */
export async function finishObjectDeletions(db: Queryable, ids: readonly ObjectId[]): Promise<void> {
  await db.query(
    `with again as (
       update object_deletions set due_at = due_at + interval '10 minutes' where id = any($1) and attempts = 0
     )
     delete from object_deletions where id = any($1) and attempts <> 0`,
    [ids],
  );
}

/** Removing failed; it is due again at `dueAt`, in milliseconds since the epoch. */
export async function postponeObjectDeletion(
  db: Queryable,
  id: ObjectId,
  failure: { dueAt: number; error: string },
): Promise<void> {
  await db.query(
    'update object_deletions set due_at = to_timestamp($2::float8 / 1000), last_error = $3 where id = $1',
    [id, failure.dueAt, failure.error],
  );
}
