import type { CollectResult } from '@carcosa/contracts';
import { deleteExpiredSessions } from '@carcosa/database';
import { type ObjectRemovalParts, removeDueObjects } from '../files/object-removal.ts';
import type { IdempotencyService } from '../idempotency/service.ts';
import type { UploadCollector } from '../uploads/upload-collector.ts';

export interface GarbageServiceParts extends ObjectRemovalParts {
  uploads: UploadCollector;
  idempotency: IdempotencyService;
}

/** Removes what nothing refers to any more. Any number of processes may do it at once. */
export class GarbageService {
  readonly #parts: GarbageServiceParts;

  constructor(parts: GarbageServiceParts) {
    this.#parts = parts;
  }

  /** @returns what was removed of each kind */
  async collect({ signal }: { signal?: AbortSignal } = {}): Promise<CollectResult> {
    const uploads = await this.#parts.uploads.collect();
    const objects = await removeDueObjects(this.#parts, signal ? { signal } : {});
    await this.#parts.idempotency.collect();
    await deleteExpiredSessions(this.#parts.db, new Date(this.#parts.clock.now()));
    return { uploads, objects };
  }
}
