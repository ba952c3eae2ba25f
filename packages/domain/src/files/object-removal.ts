import {
  claimObjectDeletions,
  finishObjectDeletions,
  type ObjectDeletion,
  postponeObjectDeletion,
  type Queryable,
} from '@carcosa/database';
import type { Clock, Logger, ObjectId } from '@carcosa/kernel';
import type { StoreRegistry } from '../buckets/store-registry.ts';

const BATCH = 200;
/** Deletions at once: each waits for its bucket. */
const CONCURRENCY = 16;
/** How long a batch belongs to the process that took it. A process that dies leaves it to the others then. */
const HELD_MS = 10 * 60_000;
const FIRST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 24 * 3600_000;
/** Characters of an error that are kept. */
const MAX_ERROR = 1000;

export interface ObjectRemovalParts {
  db: Queryable;
  stores: StoreRegistry;
  clock: Clock;
  logger: Logger;
}

/**
 * Removes the bytes of objects that nothing refers to any more. Any number of processes may run it at once. What a bucket refuses
 * is tried again after a minute, then after two, four, up to a day, for ever: the row is the only trace of the bytes.
 * @returns the number of objects whose bytes are gone
 */
export async function removeDueObjects(
  parts: ObjectRemovalParts,
  { signal }: { signal?: AbortSignal } = {},
): Promise<number> {
  const { db, clock } = parts;
  let removed = 0;
  for (;;) {
    signal?.throwIfAborted();
    const now = clock.now();
    const batch = await claimObjectDeletions(db, { now, heldUntil: now + HELD_MS, limit: BATCH });
    const gone = await removeBatch(parts, batch);
    if (gone.length > 0) await finishObjectDeletions(db, gone);
    removed += gone.length;
    if (batch.length < BATCH) return removed;
  }
}

async function removeBatch(parts: ObjectRemovalParts, batch: readonly ObjectDeletion[]): Promise<ObjectId[]> {
  const waiting = [...batch];
  const gone: ObjectId[] = [];
  const work = async (): Promise<void> => {
    for (let deletion = waiting.pop(); deletion; deletion = waiting.pop()) {
      if (await removeOne(parts, deletion)) gone.push(deletion.id);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return gone;
}

async function removeOne(
  { db, stores, clock, logger }: ObjectRemovalParts,
  deletion: ObjectDeletion,
): Promise<boolean> {
  try {
    const store = await stores.storeFor(deletion.bucketId);
    await store.delete(deletion.storageKey);
    return true;
  } catch (error) {
    logger.warn(
      { error, objectId: deletion.id, attempts: deletion.attempts },
      'The bytes of an object could not be removed; it is tried again later',
    );
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, deletion.attempts - 1), LONGEST_PAUSE_MS);
    const reason = error instanceof Error ? error.message : String(error);
    await postponeObjectDeletion(db, deletion.id, { dueAt: clock.now() + pause, error: reason.slice(0, MAX_ERROR) });
    return false;
  }
}
