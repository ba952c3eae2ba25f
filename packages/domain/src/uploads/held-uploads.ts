import {
  endUpload,
  markCollected,
  type NewAuditEntry,
  type Queryable,
  recordAudit,
  reviseUpload,
  saveProgress,
  type UploadRow,
} from '@carcosa/database';
import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import type { ObjectStore, StagedObject } from '@carcosa/storage/port';
import { UPLOAD_LIFETIME_MS } from './upload-draft.ts';
import type { HeldLease } from './upload-leases.ts';
import type { UploadServiceOptions, WriteBody, WriteResult } from './upload-service.ts';
import { UploadWriter } from './upload-writer.ts';

type HeldUploadsOptions = Pick<
  UploadServiceOptions,
  'db' | 'transaction' | 'quotas' | 'stores' | 'projects' | 'leases' | 'completion' | 'progress' | 'clock' | 'logger'
>;

/** What is wrong with the whole content: sending it again would not mend it. */
const LOST_FOR_GOOD = [
  'checksum_mismatch',
  'file_too_large',
  'file_type_not_allowed',
  'file_measures_not_allowed',
] as const;

/** What is done to an upload under its lease: write, complete, save what arrived before a failure, end. */
export class HeldUploads {
  readonly #options: HeldUploadsOptions;

  constructor(options: HeldUploadsOptions) {
    this.#options = options;
  }

  /** Writes a body to an upload whose lease is held, and files it with its last byte. Ends the lease. */
  async write(held: HeldLease, input: WriteBody): Promise<WriteResult> {
    const { clock, db, stores, completion, projects, progress } = this.#options;
    const { rules } = await projects.uploadProject(held.upload.projectId);
    const writer = new UploadWriter({ held, clock, db, lifetimeMs: UPLOAD_LIFETIME_MS, rules, progress });
    let staged: StagedObject | null = null;
    try {
      if (input.size !== undefined && input.offset === held.upload.offset) await this.#reserveLength(held, input.size);
      writer.assertBegins(input);
      const store = await stores.storeFor(held.upload.bucketId);
      staged = await this.#openStaged(store, held);
      if (!staged) return await this.#completeCommitted(store, held);
      const upload = await writer.write(staged, input);
      // One request is the whole of a simple upload, whether or not it said how long it would be.
      const whole = upload.door === 'simple' ? (upload.size ?? upload.offset) : upload.size;
      if (whole === null || upload.offset < whole) {
        if (upload.door === 'simple') throw new CarcosaError('length_mismatch');
        await writer.save(staged, { release: true });
        return { upload, offset: upload.offset, file: null };
      }
      if (upload.doorState.concat === 'partial') {
        await staged.commit(upload.storageKey);
        await writer.save(null, { release: true });
        return { upload, offset: upload.offset, file: null };
      }
      await this.#reserveLength(held, whole);
      await this.#revise(held, input);
      const file = await completion.completeStaged(held, staged);
      return { upload: { ...upload, status: 'completed' }, offset: upload.offset, file };
    } catch (error) {
      await this.#afterFailure(held, writer, staged, error);
      throw error;
    } finally {
      await staged?.close();
      progress.paused(held.upload.id);
      this.#options.leases.drop(held);
    }
  }

  /** Reserves for an upload that was created without a length, once. @throws CarcosaError `quota_exceeded` */
  async #reserveLength(held: HeldLease, size: number): Promise<void> {
    const { upload, lease } = held;
    if (upload.size !== null || size < upload.offset) return;
    const isPartial = upload.doorState.concat === 'partial';
    await this.#options.quotas.reserveLength({ ...upload, isPartial }, lease, size);
    held.upload = { ...upload, size };
  }

  async #revise(held: HeldLease, input: WriteBody): Promise<void> {
    const { path, visibility, metadata } = (await input.revise?.()) ?? {};
    if (path === undefined && visibility === undefined && metadata === undefined) return;
    const { upload } = held;
    const revised = {
      path: path ?? upload.path,
      visibility: visibility ?? upload.visibility,
      metadata: metadata ?? upload.metadata,
    };
    if (!(await reviseUpload(this.#options.db, upload.id, held.lease, revised)))
      throw new CarcosaError('upload_fenced');
    held.upload = { ...upload, ...revised };
  }

  /** Null when the bytes have got their final name already, by a request that died before it could say so. */
  async #openStaged(store: ObjectStore, held: HeldLease): Promise<StagedObject | null> {
    const { upload, takeover } = held;
    if (!upload.staged) {
      // A crash may have left something behind, under a staged name or already under the final one.
      if (takeover || upload.leaseFence > 1) {
        await store.discard({ uploadId: upload.id, key: upload.storageKey, ref: null });
        await store.delete(upload.storageKey);
      }
      return store.stage({
        uploadId: upload.id,
        key: upload.storageKey,
        size: upload.size,
        contentType: upload.declaredContentType ?? 'application/octet-stream',
        fence: held.lease.fence,
      });
    }
    try {
      return await store.resume(upload.staged, { durable: upload.offset, takeover, fence: held.lease.fence });
    } catch (error) {
      if (!isCarcosaError(error, 'not_found')) throw error;
      const stat = await store.stat(upload.storageKey);
      if (stat && stat.size === upload.size) return null;
      throw new CarcosaError('upload_not_open', { cause: error });
    }
  }

  async #completeCommitted(store: ObjectStore, held: HeldLease): Promise<WriteResult> {
    const { upload } = held;
    const size = upload.size ?? 0;
    if (upload.doorState.concat === 'partial') {
      await this.release(held, { ...upload, offset: size });
      return { upload, offset: size, file: null };
    }
    const file = await this.#options.completion.completeCommitted(held, store);
    return { upload: { ...upload, status: 'completed', offset: size }, offset: size, file };
  }

  /** A failed request leaves an upload that can be continued, or nothing. */
  async #afterFailure(
    held: HeldLease,
    writer: UploadWriter,
    staged: StagedObject | null,
    error: unknown,
  ): Promise<void> {
    const { logger } = this.#options;
    try {
      if (isCarcosaError(error, 'upload_fenced')) return;
      const { upload } = held;
      const lostForGood = LOST_FOR_GOOD.some((code) => isCarcosaError(error, code)) && writer.isWhole;
      if (upload.door === 'simple' || lostForGood) await this.end(held, 'aborted', { staged });
      else await writer.saveAfterFailure(staged);
    } catch (failure) {
      // The lease lapses by itself, and the collector finds what is left.
      logger.warn({ err: failure, uploadId: held.upload.id }, 'could not save the state of an upload that failed');
    }
  }

  /** Ends a held upload without a file, and removes its bytes. `entry` goes into the audit log with it. */
  async end(
    held: HeldLease,
    status: 'aborted' | 'expired',
    { staged = null, entry }: { staged?: StagedObject | null; entry?: NewAuditEntry } = {},
  ): Promise<void> {
    const { db, transaction, clock, stores, leases } = this.#options;
    const { id, bucketId, storageKey: key } = held.upload;
    try {
      const end = async (tx: Queryable): Promise<void> => {
        if (!(await endUpload(tx, id, held.lease, status, clock.now()))) throw new CarcosaError('upload_not_open');
        if (entry) await recordAudit(tx, [entry]);
      };
      await (entry ? transaction(end) : end(db));
      this.#options.progress.ended(held.upload, status);
      await staged?.close();
      const store = await stores.storeFor(bucketId);
      await store.discard({ uploadId: id, key, ref: staged?.ref ?? held.upload.staged });
      // The bytes may have got their name just before the failure.
      await store.delete(key);
      await markCollected(db, id);
    } finally {
      leases.drop(held);
    }
  }

  /** Lets others write next. */
  async release(held: HeldLease, row: UploadRow): Promise<void> {
    const progress = { offset: row.offset, staged: row.staged, size: row.size, expiresAt: row.expiresAt };
    await saveProgress(this.#options.db, row.id, held.lease, progress, true);
    this.#options.leases.drop(held);
  }
}
