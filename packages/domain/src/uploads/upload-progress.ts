import type { OperationStatus } from '@carcosa/contracts';
import { findUpload, type Queryable, type UploadRow } from '@carcosa/database';
import { isId } from '@carcosa/kernel';
import type { Operation, OperationProgress, OperationSource, OperationState } from '../realtime/operation-progress.ts';

export interface UploadProgressParts {
  db: Queryable;
  progress: Pick<OperationProgress, 'report' | 'forget' | 'isFollowed'>;
}

type Subject = Pick<UploadRow, 'id' | 'size'>;

const STATUS: Record<UploadRow['status'], OperationStatus> = {
  open: 'processing',
  completed: 'completed',
  aborted: 'cancelled',
  expired: 'failed',
};

/** Tells where uploads stand, whatever door they came through. Bodies that are stored whole at once are not told of: nobody knows their id. */
export class UploadProgress implements OperationSource {
  readonly #parts: UploadProgressParts;

  constructor(parts: UploadProgressParts) {
    this.#parts = parts;
  }

  async find(id: string): Promise<Operation | null> {
    const upload = isId('upload', id) ? await findUpload(this.#parts.db, id) : null;
    if (!upload) return null;
    const { projectId, tenantId, path, offset } = upload;
    return { ...stateAt(upload, STATUS[upload.status], offset), projectId, tenantId: tenantId || null, path };
  }

  /** So many bytes of an upload have arrived, not necessarily on stable storage. */
  received(upload: Subject, bytes: number): void {
    this.#parts.progress.report(stateAt(upload, 'processing', bytes));
  }

  /** As {@link received}, where the number costs a query: it is asked for only if somebody wants it. */
  async receivedPart(upload: Subject, bytes: () => Promise<number>): Promise<void> {
    if (this.#parts.progress.isFollowed(upload.id)) this.received(upload, await bytes());
  }

  completed(id: Subject['id'], size: number): void {
    this.#parts.progress.report(stateAt({ id, size }, 'completed', size));
  }

  ended(upload: Pick<UploadRow, 'id' | 'size' | 'offset'>, status: 'aborted' | 'expired'): void {
    this.#parts.progress.report(stateAt(upload, STATUS[status], upload.offset));
  }

  /** Nobody sends just now. */
  paused(id: Subject['id']): void {
    this.#parts.progress.forget(id);
  }
}

function stateAt({ id, size }: Subject, status: OperationStatus, done: number): OperationState {
  const percent = size ? Math.floor((done / size) * 100) : 0;
  const progress = status === 'completed' ? 100 : Math.min(99, percent);
  const error = status === 'failed' ? { error: 'upload_not_open' } : {};
  return { id, status, progress, bytes: { done, total: size }, ...error };
}
