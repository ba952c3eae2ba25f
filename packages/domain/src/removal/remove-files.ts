import { type Queryable, removableFiles, removableUploads, removeFiles } from '@carcosa/database';
import type { Clock, ProjectId } from '@carcosa/kernel';
import { SYSTEM } from '../access/actor.ts';
import type { UploadService } from '../uploads/upload-service.ts';

const BATCH = 500;

export interface FileRemovalParts {
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  db: Queryable;
  clock: Clock;
  uploads: Pick<UploadService, 'abort'>;
}

/** Removes all files of a project, or of one tenant of it, and ends its uploads; their bytes go with the next collection. */
export class FileRemoval {
  readonly #parts: FileRemovalParts;

  constructor(parts: FileRemovalParts) {
    this.#parts = parts;
  }

  /** Goes on until nothing is left; what an interruption leaves, the next try removes. @returns how many files were removed */
  async remove(of: { projectId: ProjectId; tenantId: string | null }, signal?: AbortSignal): Promise<number> {
    const { db, transaction, clock, uploads } = this.#parts;
    for (;;) {
      const open = await removableUploads(db, of, BATCH);
      const outcomes = await Promise.allSettled(open.map((id) => uploads.abort(SYSTEM, id)));
      // Those that cannot be ended now end by themselves: nobody may add to them any more.
      if (open.length < BATCH || outcomes.every(({ status }) => status === 'rejected')) break;
    }
    let removed = 0;
    for (;;) {
      signal?.throwIfAborted();
      const count = await transaction(async (tx) => {
        const ids = await removableFiles(tx, of, BATCH);
        if (ids.length > 0) await removeFiles(tx, ids, clock.now());
        return ids.length;
      });
      removed += count;
      if (count < BATCH) return removed;
    }
  }
}
