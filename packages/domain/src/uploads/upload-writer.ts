import { createHash } from 'node:crypto';
import { type Queryable, saveProgress, type UploadRow } from '@carcosa/database';
import { CarcosaError, type Clock } from '@carcosa/kernel';
import type { StagedObject } from '@carcosa/storage/port';
import { assertSize, type FileRules } from './file-rules.ts';
import { receive } from './upload-body.ts';
import type { HeldLease } from './upload-leases.ts';
import type { UploadProgress } from './upload-progress.ts';
import type { WriteBody } from './upload-service.ts';

/** What arrived is synced and its offset saved after so many bytes, so that a crash costs no more. */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;

/** A checksum of one body, as tus sends it. */
export interface BodyChecksum {
  algorithm: 'sha1' | 'sha256' | 'md5';
  digest: Buffer;
}

export interface UploadWriterOptions {
  held: HeldLease;
  clock: Clock;
  db: Queryable;
  lifetimeMs: number;
  rules: FileRules;
  progress: UploadProgress;
}

/** Writes one body to one held upload and keeps its row true: the saved offset is never ahead of stable storage. */
export class UploadWriter {
  readonly #options: UploadWriterOptions;
  /** The row as this request has changed it so far. */
  #row: UploadRow;
  #checkpoint: Promise<void> | null = null;
  #saved: number;

  constructor(options: UploadWriterOptions) {
    this.#options = options;
    this.#row = options.held.upload;
    this.#saved = this.#row.offset;
  }

  /** Whether all bytes have arrived. */
  get isWhole(): boolean {
    return this.#row.offset === this.#row.size;
  }

  /** @throws CarcosaError unless the body fits where the upload stands */
  assertBegins(input: WriteBody): void {
    const { offset, size } = this.#row;
    if (input.offset !== offset) throw new CarcosaError('upload_offset_mismatch', { details: { offset } });
    if (input.size !== undefined) {
      if (size !== null && size !== input.size) {
        throw new CarcosaError('invalid_request', { message: 'The length of this upload is fixed already.' });
      }
      if (input.size < offset)
        throw new CarcosaError('invalid_request', { message: 'The length is less than what has arrived.' });
      assertSize(this.#options.rules, input.size);
      this.#row = { ...this.#row, size: input.size };
    }
    const whole = this.#row.size;
    if (whole !== null && input.length !== null && offset + input.length > whole) {
      throw new CarcosaError('payload_too_large', { details: { remaining: whole - offset } });
    }
  }

  /** @returns the row with its new offset: bytes that are appended, not yet synced */
  async write(staged: StagedObject, input: WriteBody): Promise<UploadRow> {
    const { held, rules, progress } = this.#options;
    const hash = input.checksum ? createHash(input.checksum.algorithm) : null;
    const md5 = input.wantsMd5 && input.offset === 0 ? createHash('md5') : null;
    const limit = (this.#row.size ?? rules.maxFileSize ?? Number.MAX_SAFE_INTEGER) - this.#row.offset;
    try {
      const received = await receive(input.body, {
        limit,
        signal: held.signal,
        append: (chunk, owned) => {
          hash?.update(chunk);
          md5?.update(chunk);
          return staged.append(chunk, owned);
        },
        onProgress: () => {
          held.touch();
          progress.received(this.#row, staged.length);
          // What may have to be taken back must not be saved.
          if (!hash) this.#maybeCheckpoint(staged);
        },
      });
      if (input.length !== null && received !== input.length) throw new CarcosaError('length_mismatch');
      if (hash && !hash.digest().equals(input.checksum?.digest ?? Buffer.alloc(0)))
        throw new CarcosaError('checksum_mismatch');
    } catch (error) {
      if (hash) await staged.truncate(input.offset);
      throw error;
    } finally {
      await this.#checkpoint;
    }
    held.assertTrusted();
    this.#row = { ...this.#row, offset: staged.length };
    if (this.isWhole) held.md5 = md5?.digest('hex') ?? null;
    return this.#row;
  }

  /** Syncs what is staged and saves the offset; null when the bytes are committed already. @throws CarcosaError `upload_fenced` */
  async save(staged: StagedObject | null, options: { release: boolean }): Promise<void> {
    const { held, db, clock, lifetimeMs } = this.#options;
    const offset = staged ? await staged.sync({ lazy: !options.release }) : this.#row.offset;
    const progress = {
      offset,
      staged: staged ? { ...staged.ref } : this.#row.staged,
      size: this.#row.size,
      expiresAt: this.#row.door === 'simple' ? this.#row.expiresAt : clock.now() + lifetimeMs,
    };
    const saved = await saveProgress(db, this.#row.id, held.lease, progress, options.release);
    if (!saved) throw new CarcosaError('upload_fenced');
    this.#row = { ...this.#row, staged: progress.staged };
    this.#saved = offset;
  }

  /** Keeps what arrived, if it can be made durable; else what was saved before. Releases the lease. */
  async saveAfterFailure(staged: StagedObject | null): Promise<void> {
    const arrived = staged && staged.length > this.#saved;
    if (arrived) {
      try {
        return await this.save(staged, { release: true });
      } catch {
        // A full or broken disk: the offset that was saved last is still true.
      }
    }
    const { held, db, clock, lifetimeMs } = this.#options;
    const { id, size } = this.#row;
    const progress = { offset: this.#saved, staged: this.#row.staged, size, expiresAt: clock.now() + lifetimeMs };
    await saveProgress(db, id, held.lease, progress, true);
  }

  #maybeCheckpoint(staged: StagedObject): void {
    if (this.#checkpoint || staged.length - this.#saved < CHECKPOINT_BYTES) return;
    // Beside the stream; a failure shows again at the next append or sync.
    this.#checkpoint = this.save(staged, { release: false })
      .catch((error: unknown) => {
        if (error instanceof CarcosaError && error.code === 'upload_fenced') this.#options.held.lost();
      })
      .finally(() => {
        this.#checkpoint = null;
      });
  }
}
