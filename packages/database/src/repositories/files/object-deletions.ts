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

/**
 * Has those of these bytes removed that no object refers to, and that nobody is about to file.
 * @param dueAt milliseconds since the epoch
 */
export async function deleteUnreferenced(
  db: Queryable,
  bucketId: BucketId,
  found: readonly { id: string; storageKey: string }[],
  dueAt: number,
): Promise<void> {
  const ids = found.map(({ id }) => id);
  // A statement of the process that died may still be filing some of them: its end is waited for, and seen by the next statement.
  await db.query('select from object_deletions where id = any($1) for update', [ids]);
  await db.query(
    `insert into object_deletions (id, bucket_id, storage_key, size, due_at)
     select n.id, $1, n.storage_key, 0, to_timestamp($4::float8 / 1000) from unnest($2::text[], $3::text[]) as n(id, storage_key)
     where not exists (select from objects o where o.id = n.id) on conflict do nothing`,
    [bucketId, ids, found.map(({ storageKey }) => storageKey), dueAt],
  );
}
