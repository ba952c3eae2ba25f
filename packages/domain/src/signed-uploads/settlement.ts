import type { File } from '@carcosa/contracts';
import {
  findCompletedFile,
  findObjectOfFile,
  listUnsettled,
  type NewCallback,
  type Queryable,
  type SignedUploadRow,
  settleSignedUpload,
} from '@carcosa/database';
import { type CallbackId, type Clock, type FileId, isId, type ProjectId, type UploadId } from '@carcosa/kernel';
import type { StoreRegistry } from '../buckets/store-registry.ts';
import type { CallbackService } from '../callbacks/callback-service.ts';
import { hashStoredObject } from '../objects/hash-object.ts';

/** Milliseconds after which a key of which nothing ever arrived is given up: as long as an upload waits for its next byte. */
const PATIENCE_MS = 24 * 3600 * 1000;
/** Milliseconds after which an upload that is complete, but not settled, was left so by a crash. */
const CRASHED_MS = 60_000;
const ROUND = 200;

export interface SettlementParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  stores: StoreRegistry;
  callbacks: CallbackService;
  /** Without a "/" at its end. */
  publicUrl: string;
}

/** Where a file is to be had, as UploadThing's clients know it. */
export interface FileAddresses {
  url: string;
  appUrl: string;
  ufsUrl: string;
}

/** Ends uploads by signed addresses: the key gets its file or its reason, and the app is to be told, all in one transaction. */
export class Settlement {
  readonly #parts: SettlementParts;

  constructor(parts: SettlementParts) {
    this.#parts = parts;
  }

  addressesOf(projectId: ProjectId, key: string): FileAddresses {
    const { publicUrl } = this.#parts;
    const url = `${publicUrl}/f/${key}`;
    return { url, appUrl: `${publicUrl}/a/${projectId}/${key}`, ufsUrl: url };
  }

  /** MD5 in hex: as it was computed while the bytes came in, else by reading them back once. */
  async md5Of(file: File): Promise<string> {
    if (file.md5 !== null) return file.md5;
    const { db, stores } = this.#parts;
    const before = await findObjectOfFile(db, file.id as FileId, file.version);
    if (before) await hashStoredObject({ db, stores }, before.id);
    const after = await findObjectOfFile(db, file.id as FileId, file.version);
    return after?.md5?.toString('hex') ?? '';
  }

  /** Writes down that an upload is whole. Repeated, it changes nothing. */
  async uploaded(place: { projectId: ProjectId; key: string; uploadId: UploadId }, file: File): Promise<void> {
    const { transaction, clock, callbacks } = this.#parts;
    const fileHash = await this.md5Of(file);
    const id = await transaction(async (tx) => {
      const outcome = { state: 'uploaded', fileId: file.id as FileId } as const;
      const row = await settleSignedUpload(tx, place, outcome, new Date(clock.now()));
      return row && isRegistered(row) ? await callbacks.make(tx, this.#wordOf(row, file, fileHash)) : null;
    });
    callbacks.begin(id);
  }

  /** Writes down that an upload will not become a file. */
  async failed(place: { projectId: ProjectId; key: string; uploadId: UploadId | null }, reason: string): Promise<void> {
    const { transaction, clock, callbacks } = this.#parts;
    const id = await transaction(async (tx) => {
      const row = await settleSignedUpload(tx, place, { state: 'failed', error: reason }, new Date(clock.now()));
      return row && isRegistered(row) ? await callbacks.make(tx, this.#errorOf(row, reason)) : null;
    });
    callbacks.begin(id);
  }

  /** What an app wants to hear of uploads that have ended before it said so. Call it in the transaction that notes that. */
  async tellNow(tx: Queryable, rows: readonly SignedUploadRow[]): Promise<CallbackId[]> {
    const { callbacks, db, publicUrl } = this.#parts;
    const made: (CallbackId | null)[] = [];
    for (const row of rows) {
      if (row.uploadId === null) continue;
      if (row.state === 'failed') made.push(await callbacks.make(tx, this.#errorOf(row, row.error ?? 'it failed')));
      const file = row.state === 'uploaded' ? await findCompletedFile(db, row.uploadId, publicUrl) : null;
      if (file) made.push(await callbacks.make(tx, this.#wordOf(row, file, await this.md5Of(file))));
    }
    return made.filter((id) => id !== null);
  }

  /** What crashes and senders that never came back have left: for the round of a job. */
  async settleLeftovers(): Promise<void> {
    const { db, clock, publicUrl } = this.#parts;
    const now = clock.now();
    const ages = { before: new Date(now - PATIENCE_MS), settledBefore: new Date(now - CRASHED_MS) };
    for (const { row, status } of await listUnsettled(db, { ...ages, limit: ROUND })) {
      const { projectId, key, uploadId } = row;
      const file = status === 'completed' && uploadId ? await findCompletedFile(db, uploadId, publicUrl) : null;
      if (file && uploadId) await this.uploaded({ projectId, key, uploadId }, file);
      else await this.failed({ projectId, key, uploadId }, 'The upload was not finished in time.');
    }
  }

  #wordOf(row: SignedUploadRow, file: File, fileHash: string): Omit<NewCallback, 'id'> {
    const { projectId, name, size, type, customId, lastModified, metadata } = row;
    const about = {
      key: file.key,
      ...{ name: name ?? file.name, size: size ?? file.size, type: type || file.contentType, customId },
      ...(lastModified === null ? {} : { lastModified }),
      ...{ ...this.addressesOf(projectId, file.key), fileHash },
    };
    const origin = `${this.#parts.publicUrl}/uploadthing/ingest`;
    // A file at a path that the app named keeps the key that it had: then the answer of the app names that of the upload.
    const uploadKey = file.key === row.key ? {} : { uploadKey: row.key };
    const payload = JSON.stringify({ status: 'uploaded', metadata: metadata ?? {}, origin, file: about, ...uploadKey });
    return { ...this.#to(row), hook: 'callback', payload };
  }

  #errorOf(row: SignedUploadRow, reason: string): Omit<NewCallback, 'id'> {
    return { ...this.#to(row), hook: 'error', payload: JSON.stringify({ fileKey: row.key, error: reason }) };
  }

  #to({ projectId, key, uploadId, apiKeyId, callbackUrl, isDev }: SignedUploadRow) {
    return {
      ...{ projectId, fileKey: key, isDev, url: callbackUrl ?? '' },
      // What never had an upload is known by its key.
      uploadId: uploadId ?? (`none:${projectId}/${key}` as UploadId),
      apiKeyId: apiKeyId as NonNullable<typeof apiKeyId>,
    };
  }
}

/** Whether an app has said where it wants to be told. */
export const isRegistered = (row: SignedUploadRow): boolean => row.callbackUrl !== null && isId('apiKey', row.apiKeyId);
