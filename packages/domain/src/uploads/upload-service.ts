import { Readable } from 'node:stream';
import type { File, Page, Upload, Visibility } from '@carcosa/contracts';
import {
  expireUploads,
  findCompletedFile,
  findUpload,
  insertUploads,
  listOpenUploads,
  type NewUpload,
  type Queryable,
  type UploadRow,
} from '@carcosa/database';
import {
  CarcosaError,
  type Clock,
  type Histogram,
  type IdGenerator,
  isCarcosaError,
  isId,
  type Logger,
  type UploadId,
} from '@carcosa/kernel';
import { type Access, projectOf } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { assertCovers, type Grant, mayPlace, placeRefused } from '../access/grant.ts';
import { auditEntry } from '../audit/audit-entry.ts';
import type { StoreRegistry } from '../buckets/store-registry.ts';
import type { Quotas } from '../quotas/quotas.ts';
import { GroupCommit } from './group-commit.ts';
import { HeldUploads } from './held-uploads.ts';
import type { UploadCompletion } from './upload-completion.ts';
import { type CreateUpload, draftUpload, type UploadDraft } from './upload-draft.ts';
import { HeldLease, type UploadLeases } from './upload-leases.ts';
import type { UploadProgress } from './upload-progress.ts';
import type { UploadProjects, UploadTenants } from './upload-project.ts';
import { uploadView } from './upload-view.ts';
import type { BodyChecksum } from './upload-writer.ts';
import type { WholeUploads } from './whole-uploads.ts';

/** How long a partial upload lives on once it is part of another. */
const USED_PART_LIFETIME_MS = 10 * 60 * 1000;
const MAX_GROUP = 64;

/** A row to insert, what it reserves, and uploads whose reservations that takes the place of. */
interface Insertion extends UploadDraft {
  releases?: UploadId[];
}

export interface UploadServiceOptions {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  quotas: Quotas;
  stores: StoreRegistry;
  access: Access;
  projects: UploadProjects;
  tenants: UploadTenants;
  leases: UploadLeases;
  completion: UploadCompletion;
  wholes: WholeUploads;
  progress: UploadProgress;
  clock: Clock;
  ids: IdGenerator;
  logger: Logger;
  /** Without a "/" at its end. */
  publicUrl: string;
}

export interface WriteBody {
  body: Readable;
  /** Where the body begins in the content, bytes. */
  offset: number;
  /** Bytes of the body where they were declared. */
  length: number | null;
  /** Tells a whole length that was deferred when the upload was created. */
  size?: number;
  checksum?: BodyChecksum;
  /** Whether the door wants the MD5 of the content, if this body is all of it: it costs more than SHA-256. */
  wantsMd5?: boolean;
  /** Throws for an upload that the door does not write to. */
  admits?(upload: UploadRow): void;
  /** Asked after the last byte for what a form says behind its file. */
  revise?(): Promise<UploadRevision>;
}

/** What may still change before an upload becomes a file. */
export interface UploadRevision {
  path?: string | undefined;
  visibility?: Visibility | undefined;
  metadata?: Record<string, unknown> | undefined;
}

export interface WriteResult {
  upload: UploadRow;
  /** Bytes on stable storage. */
  offset: number;
  /** Set with the last byte, unless the upload is a part of another. */
  file: File | null;
}

/** The engine behind every door through which bytes pass us: sessions with an offset, one writer each, completed once. */
export class UploadService {
  readonly #options: UploadServiceOptions;
  readonly #inserts: GroupCommit<Insertion, void>;
  readonly #held: HeldUploads;

  constructor(options: UploadServiceOptions) {
    this.#options = options;
    this.#held = new HeldUploads(options);
    this.#inserts = new GroupCommit({
      maxItems: MAX_GROUP,
      run: async (insertions) => {
        await this.#insert(insertions);
        return insertions.map(() => undefined);
      },
    });
  }

  /** How many uploads shared each transaction that announced them. */
  get groupSizes(): Histogram {
    return this.#inserts.sizes;
  }

  /** Begins an upload that anyone with its id may continue. @throws CarcosaError `invalid_path`, `forbidden`, `not_found` */
  async create(actor: Actor, input: CreateUpload): Promise<UploadRow> {
    const draft = await draftUpload(this.#options, actor, input);
    await this.#inserts.submit(draft);
    return newRow(draft.row);
  }

  /** Creates an upload and writes its first bytes, which may be all of them, in one go. */
  async createAndWrite(
    actor: Actor,
    input: CreateUpload,
    body: Omit<WriteBody, 'offset'>,
    options: Pick<Insertion, 'releases'> = {},
  ): Promise<WriteResult> {
    const { row: draft, charges } = await draftUpload(this.#options, actor, input);
    const grant = await this.#options.access.authorize(actor, 'files:write', draft.projectId);
    const { revise } = body;
    // What has to be reserved has a row from the start, which gives it back whatever happens.
    const store = charges.length === 0 ? await this.#options.wholes.storeFor(draft, body) : null;
    if (store) {
      const file = await this.#options.wholes.store(store, actor, draft, body);
      return { upload: { ...newRow(draft), status: 'completed', offset: file.size }, offset: file.size, file };
    }
    const leased = { ...draft, leaseOwner: this.#options.leases.instance };
    const askedAt = performance.now();
    await this.#inserts.submit({ row: leased, charges, ...options });
    const row: UploadRow = { ...newRow(leased), leaseFence: 1 };
    const held = this.#options.leases.hold(new HeldLease(row, { owner: leased.leaseOwner, fence: 1 }, false, askedAt));
    held.actor = actor;
    return this.#held.write(held, {
      ...body,
      offset: 0,
      ...(revise ? { revise: async () => placed(grant, await revise()) } : {}),
    });
  }

  /**
   * Adds a body to an upload at `offset`. What arrived before a failure is saved, unless a checksum came with it.
   * @throws CarcosaError `upload_offset_mismatch` (details: the true offset), `upload_locked`, `upload_not_open`,
   *   `payload_too_large`, `checksum_mismatch`, `upload_interrupted`, `storage_full`
   */
  async write(
    actor: Actor,
    id: string,
    input: WriteBody,
    options: { signal?: AbortSignal } = {},
  ): Promise<WriteResult> {
    return this.#options.leases.intending(id, () => this.#write(actor, id, input, options));
  }

  async #write(actor: Actor, id: string, input: WriteBody, options: { signal?: AbortSignal }): Promise<WriteResult> {
    const upload = await this.find(actor, id);
    input.admits?.(upload);
    if (upload.status === 'completed') return this.#alreadyComplete(upload, input);
    this.#assertOpen(upload);
    // Before asking the holder to stop: who is wrong about the offset must not disturb it.
    if (input.offset > upload.offset && upload.leaseOwner === null) throw offsetMismatch(upload.offset);
    const held = await this.#tryAcquire(upload.id, options.signal ? { signal: options.signal } : {});
    if (held) {
      held.actor = actor;
      return this.#held.write(held, input);
    }
    const ended = await this.find(actor, id);
    if (ended.status !== 'completed') throw new CarcosaError('upload_not_open');
    return this.#alreadyComplete(ended, input);
  }

  /** @throws CarcosaError `not_found`, also for uploads of others */
  async find(actor: Actor, id: string): Promise<UploadRow> {
    const upload = isId('upload', id) ? await findUpload(this.#options.db, id) : null;
    if (!upload) throw new CarcosaError('not_found');
    assertCovers(await this.#options.access.authorize(actor, 'files:write', upload.projectId), upload);
    return upload;
  }

  /** As {@link find}, for the client that wants to continue: a holder whose sender is gone is asked to save first. */
  async findSettled(actor: Actor, id: string): Promise<UploadRow> {
    if (isId('upload', id)) await this.#options.leases.settled(id);
    const upload = await this.find(actor, id);
    if (upload.status !== 'open' || upload.leaseOwner === null) return upload;
    try {
      const held = await this.#acquire(upload.id, {});
      await this.#held.release(held, held.upload);
    } catch (error) {
      // The holder goes on: the offset that is saved is true, if soon old.
      if (!isCarcosaError(error, 'upload_locked') && !isCarcosaError(error, 'upload_not_open')) throw error;
    }
    return this.find(actor, id);
  }

  /** The file that a completed upload became; null while it is not completed, or when the file is gone. */
  async fileOf(upload: UploadRow): Promise<File | null> {
    return findCompletedFile(this.#options.db, upload.id, this.#options.publicUrl);
  }

  async list(
    actor: Actor,
    input: {
      projectId?: string | undefined;
      fingerprint?: string | undefined;
      limit: number;
      cursor?: string | undefined;
    },
  ): Promise<Page<Upload>> {
    const grant = await this.#options.access.authorize(actor, 'files:write', projectOf(actor, input.projectId));
    const { cursor, fingerprint } = input;
    if (cursor !== undefined && !isId('upload', cursor)) {
      throw new CarcosaError('invalid_request', { message: 'The cursor is not one that this list gave out.' });
    }
    const { tenantId, pathPrefix } = grant;
    const own = { tenantId, pathPrefix, ...(fingerprint === undefined ? {} : { fingerprint }) };
    const page = { limit: input.limit + 1, ...own, ...(cursor ? { before: cursor as UploadId } : {}) };
    const rows = await listOpenUploads(this.#options.db, grant.projectId, page, this.#options.clock.now());
    const items = rows.slice(0, input.limit);
    const hasMore = rows.length > input.limit;
    return {
      items: items.map((row) => uploadView(row)),
      hasMore,
      nextCursor: hasMore ? (items.at(-1)?.id ?? null) : null,
    };
  }

  /** Ends an upload and removes its bytes; whoever writes to it is stopped. */
  async abort(actor: Actor, id: string): Promise<void> {
    const upload = await this.find(actor, id);
    this.#assertOpen(upload);
    const held = await this.#acquire(upload.id, { force: true });
    const { projectId, tenantId, path, offset, size, door } = held.upload;
    const event = { action: 'upload.abort', resource: { type: 'upload', id }, place: { projectId, tenantId } } as const;
    const entry = auditEntry(actor, { ...event, before: { path, offset, size, door } }, this.#options.clock);
    await this.#held.end(held, 'aborted', { entry });
    this.#options.completion.tally.aborted[door] += 1;
  }

  /**
   * Joins partial uploads, in their order, to a new upload that is complete with it (tus concatenation).
   * @throws CarcosaError `upload_incomplete` when a part has not ended, `not_found` for parts of others
   */
  async concatenate(actor: Actor, input: CreateUpload, partIds: string[]): Promise<WriteResult> {
    const parts = await Promise.all(partIds.map((id) => this.find(actor, id)));
    const unfinished = parts.filter(
      (part) => part.doorState.concat !== 'partial' || part.offset !== part.size || part.status !== 'open',
    );
    if (unfinished.length > 0)
      throw new CarcosaError('upload_incomplete', { details: { uploads: unfinished.map((part) => part.id) } });
    const size = parts.reduce((sum, part) => sum + part.offset, 0);
    const body = Readable.from(this.#contentOf(parts), { objectMode: false, highWaterMark: 1024 * 1024 });
    const ids = parts.map((part) => part.id);
    // What the parts have reserved is what their whole needs.
    const result = await this.createAndWrite(actor, { ...input, size }, { body, length: size }, { releases: ids });
    // The bytes are there twice now; a client whose answer was lost may still ask for the same again.
    const { db, clock } = this.#options;
    await expireUploads(db, ids, clock.now() + USED_PART_LIFETIME_MS);
    return result;
  }

  async *#contentOf(parts: UploadRow[]): AsyncIterable<Uint8Array> {
    for (const part of parts) {
      const store = await this.#options.stores.storeFor(part.bucketId);
      yield* await store.read(part.storageKey);
    }
  }

  /** Inserts uploads in one statement; in a transaction where room has to be reserved for some of them. */
  async #insert(insertions: Insertion[]): Promise<void> {
    const { db, transaction, quotas } = this.#options;
    const rows = insertions.map(({ row }) => row);
    const charges = insertions.flatMap((each) => each.charges);
    if (charges.length === 0) return await insertUploads(db, rows);
    const releases = insertions.flatMap((each) => each.releases ?? []);
    await transaction(async (tx) => {
      await insertUploads(tx, rows);
      await quotas.reserve(tx, charges, releases);
    });
  }

  async #acquire(id: UploadId, options: { force?: boolean }): Promise<HeldLease> {
    const held = await this.#tryAcquire(id, options);
    if (!held) throw new CarcosaError('upload_not_open');
    return held;
  }

  /** Null when the upload has ended. */
  #tryAcquire(id: UploadId, options: { force?: boolean; signal?: AbortSignal }): Promise<HeldLease | null> {
    const { leases, db } = this.#options;
    const isOpen = async () => (await findUpload(db, id))?.status === 'open';
    return leases.acquire(id, { ...options, isOpen });
  }

  #assertOpen(upload: UploadRow): void {
    if (upload.status !== 'open' || upload.expiresAt <= this.#options.clock.now())
      throw new CarcosaError('upload_not_open');
  }

  /** A client whose last answer was lost sends nothing more, at the end: tell it again. */
  async #alreadyComplete(upload: UploadRow, input: WriteBody): Promise<WriteResult> {
    if (input.offset !== upload.offset) throw offsetMismatch(upload.offset);
    return { upload, offset: upload.offset, file: await this.fileOf(upload) };
  }
}

function newRow({ quotaScopes: _, ...upload }: NewUpload): UploadRow {
  return { ...upload, status: 'open', offset: 0, staged: null, leaseFence: 0, fileId: null };
}

function offsetMismatch(offset: number): CarcosaError {
  return new CarcosaError('upload_offset_mismatch', { details: { offset } });
}

/** @throws CarcosaError `forbidden` for a new place where the actor may put nothing */
function placed(grant: Grant, revision: UploadRevision): UploadRevision {
  if (revision.path !== undefined && !mayPlace(grant, revision.path)) throw placeRefused(grant);
  return revision;
}
