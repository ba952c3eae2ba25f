import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { File, InitUploadBody, InitUploadResult, Upload } from '@carcosa/contracts';
import {
  beginPart,
  dropPart,
  findParts,
  findUpload,
  finishPart,
  type Queryable,
  type StoredPart,
  saveProgress,
  saveStaged,
  type UploadRow,
} from '@carcosa/database';
import {
  CarcosaError,
  type Clock,
  isCarcosaError,
  isId,
  type Logger,
  type Random,
  randomToken,
  toIsoString,
} from '@carcosa/kernel';
import type { ObjectStat, ObjectStore, PresignCapability, StagedRef } from '@carcosa/storage/port';
import type { Actor } from '../access/actor.ts';
import type { StoreRegistry } from '../buckets/store-registry.ts';
import { hashObject, sniffObject } from './committed-content.ts';
import { agreeOnParts, type DirectPlan, directPlanOf, partPlace, planDirect } from './direct-plan.ts';
import type { PartAddresses } from './part-addresses.ts';
import { receive } from './upload-body.ts';
import { assertChecksum, type UploadCompletion } from './upload-completion.ts';
import type { HeldLease, UploadLeases } from './upload-leases.ts';
import type { UploadProgress } from './upload-progress.ts';
import type { UploadProjects } from './upload-project.ts';
import type { UploadService } from './upload-service.ts';
import { uploadView } from './upload-view.ts';

/** Life of a signed address in seconds; another one can be had as long as the upload lives. */
const ADDRESS_SECONDS = 3600;
/** How long a part waits for an earlier attempt at it to end. */
const PART_WAIT_MS = 5_000;
const PART_POLL_MS = 100;

export interface DirectUploadServiceOptions {
  /** A pool: `transaction` opens one on it. */
  db: Queryable;
  transaction<Result>(work: (db: Queryable) => Promise<Result>): Promise<Result>;
  stores: StoreRegistry;
  projects: UploadProjects;
  uploads: UploadService;
  leases: UploadLeases;
  completion: UploadCompletion;
  progress: UploadProgress;
  addresses: PartAddresses;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Enqueues the job that learns the SHA-256, in the transaction that made the object. */
  hashLater(db: Queryable, objectId: string): Promise<void>;
}

/** A PUT to one of our own signed addresses. */
export interface PartRequest {
  uploadId: string;
  partNumber: number;
  /** As it came, without "?". */
  query: string;
  contentType: string | undefined;
  /** Declared bytes of the body; null for a chunked one. */
  length: number | null;
}

export interface SignedPart {
  partNumber: number;
  url: string;
  headers: Record<string, string>;
}

/**
 * Uploads whose bytes go straight to the bucket: init, sign, complete. A bucket that cannot presign answers the same protocol
 * on our own address, so a client never needs to know which it is.
 */
export class DirectUploadService {
  readonly #options: DirectUploadServiceOptions;

  constructor(options: DirectUploadServiceOptions) {
    this.#options = options;
  }

  async init(actor: Actor, input: InitUploadBody): Promise<InitUploadResult> {
    const { uploads, db } = this.#options;
    const plan = planDirect(input.size);
    const { fingerprint, tus, ...rest } = input;
    const doorState = fingerprint === undefined ? {} : { fingerprint };
    // Bytes that pass us anyhow are hashed as they come by tus, and read once more after parts; a part alone cannot be continued.
    const isTusBetter = async (bucketId: string): Promise<boolean> =>
      plan.strategy === 'single' || !(await this.#options.stores.storeFor(bucketId as UploadRow['bucketId'])).presign;
    const door = async (bucketId: string) => (tus && (await isTusBetter(bucketId)) ? 'tus' : 'direct');
    const upload = await uploads.create(actor, { ...rest, doorState, door });
    if (upload.door === 'tus')
      return { uploadId: upload.id, strategy: 'tus', expiresAt: toIsoString(upload.expiresAt) };
    const store = await this.#storeOf(upload);
    const ref = await this.#begin(store, upload, plan);
    await saveStaged(db, upload.id, { ...ref });
    const begun: UploadRow = { ...upload, staged: { ...ref } };
    const common = { uploadId: upload.id, strategy: plan.strategy, expiresAt: toIsoString(upload.expiresAt) };
    if (plan.strategy === 'multipart') return { ...common, partSize: plan.partSize, partCount: plan.partCount };
    const { url, headers } = await this.#sign(store, begun, plan, 1);
    return { ...common, url, headers };
  }

  async signParts(actor: Actor, id: string, partNumbers: number[]): Promise<SignedPart[]> {
    const upload = await this.#findOpen(actor, id);
    const plan = directPlanOf(upload);
    const store = await this.#storeOf(upload);
    return Promise.all(
      partNumbers.map(async (partNumber) => ({ partNumber, ...(await this.#sign(store, upload, plan, partNumber)) })),
    );
  }

  async status(actor: Actor, id: string): Promise<Upload> {
    const upload = await this.#options.uploads.find(actor, id);
    if (upload.door !== 'direct' || upload.status !== 'open') return uploadView(upload);
    const parts = await this.#receivedParts(await this.#storeOf(upload), upload);
    const offset = parts.reduce((sum, part) => sum + part.size, 0);
    return uploadView({ ...upload, offset }, parts);
  }

  /**
   * Takes one part of an upload to a bucket that cannot presign. The address is the credential: it was signed for this upload,
   * part and size.
   * @returns the ETag that `complete` wants, without quotes
   * @throws CarcosaError `signature_invalid`, `upload_not_open`, `upload_locked`, `length_mismatch`
   */
  async receivePart(request: PartRequest, body: Readable): Promise<string> {
    const { db, addresses, leases, random } = this.#options;
    const { uploadId, partNumber } = request;
    addresses.verify(uploadId, partNumber, request.query);
    const upload = isId('upload', uploadId) ? await findUpload(db, uploadId) : null;
    if (upload?.status !== 'open' || !upload.staged) throw new CarcosaError('upload_not_open');
    const plan = directPlanOf(upload);
    const place = partPlace(plan, partNumber);
    assertSigned(request, plan, upload);
    const parts = (await this.#storeOf(upload)).parts;
    if (!parts) throw new CarcosaError('not_found');

    const writer = leases.partWriter();
    try {
      await this.#beginPart(upload, partNumber, place.size, writer.name);
      const part = await parts.openPart(upload.staged, place);
      try {
        await receive(body, { limit: place.size, append: (chunk, owned) => part.append(chunk, owned) });
        await part.finish();
      } finally {
        await part.close();
      }
      const etag = randomToken(random, 32);
      if (!(await finishPart(db, upload.id, partNumber, writer.name, etag))) throw new CarcosaError('upload_fenced');
      await this.#tellReceived(upload, plan);
      return etag;
    } catch (error) {
      await dropPart(db, upload.id, partNumber, writer.name).catch(() => {});
      throw error;
    } finally {
      writer.done();
    }
  }

  /** A progress that cannot be told is no reason to refuse the part. */
  async #tellReceived({ id }: UploadRow, { size }: DirectPlan): Promise<void> {
    const { db, progress } = this.#options;
    const arrived = async (): Promise<number> =>
      (await findParts(db, id)).parts.reduce((sum, part) => sum + part.size, 0);
    await progress.receivedPart({ id, size }, arrived).catch(() => {});
  }

  /** A client that lost its connection sends the part again before we have seen the end of the first one: wait for that. */
  async #beginPart(upload: UploadRow, partNumber: number, size: number, writer: string): Promise<void> {
    const deadline = performance.now() + PART_WAIT_MS;
    while (!(await beginPart(this.#options.db, upload.id, partNumber, size, writer))) {
      if (performance.now() >= deadline) throw new CarcosaError('upload_locked', { retryAfter: 1 });
      await delay(PART_POLL_MS);
    }
  }

  /**
   * Makes the file of what was sent, once however often it is asked.
   * @throws CarcosaError `upload_incomplete` (details: missing parts), `checksum_mismatch`, `upload_locked`, `upload_not_open`
   */
  async complete(actor: Actor, id: string, claimed: { partNumber: number; etag: string }[] | undefined): Promise<File> {
    const { uploads, leases, db } = this.#options;
    const upload = await uploads.find(actor, id);
    // One by tus is so after its last byte: its client, which may write alone, learns here what became of it.
    if (upload.status === 'completed') return this.#fileOf(upload);
    if (upload.door !== 'direct')
      throw new CarcosaError('conflict', { message: 'This upload ends with its last byte.' });
    const isOpen = async () => (await findUpload(db, upload.id))?.status === 'open';
    const held = await leases.acquire(upload.id, { isOpen });
    if (!held) return this.#fileOf(await uploads.find(actor, id));
    held.actor = actor;
    try {
      return await this.#completeHeld(
        held,
        claimed?.map((part) => ({ ...part, etag: unquote(part.etag) })),
      );
    } catch (error) {
      await this.#release(held);
      // Nothing that is sent again would be of another type: its bytes go at once.
      if (isCarcosaError(error, 'file_type_not_allowed')) await uploads.abort(actor, id);
      throw error;
    } finally {
      leases.drop(held);
    }
  }

  async #completeHeld(held: HeldLease, claimed: { partNumber: number; etag: string }[] | undefined): Promise<File> {
    const { upload } = held;
    const store = await this.#storeOf(upload);
    const plan = directPlanOf(upload);
    const parts = await this.#receivedParts(store, upload).catch(async (error: unknown) => {
      // Completed at the provider by a request whose end we never saw.
      const stat = await store.stat(upload.storageKey);
      if (stat?.size !== plan.size) throw error;
      return null;
    });
    const committed =
      parts === null || (parts.length === 0 && (await store.stat(upload.storageKey))?.size === plan.size);
    if (!committed) {
      const agreed = agreeOnParts(plan, parts, claimed);
      if (!store.presign) return this.#completeLocal(held, store, plan);
      await store.presign.finish(refOf(upload), upload.storageKey, agreed);
    }
    return this.#completeRemote(held, store, plan);
  }

  async #completeLocal(held: HeldLease, store: ObjectStore, plan: DirectPlan): Promise<File> {
    const { completion } = this.#options;
    const ref = refOf(held.upload);
    const staged = await store.resume(ref, { durable: plan.size, takeover: false }).catch((error: unknown) => {
      if (isCarcosaError(error, 'not_found')) return null;
      throw error;
    });
    if (!staged) return completion.completeCommitted(held, store);
    try {
      return await completion.completeStaged(held, staged);
    } finally {
      await staged.close();
    }
  }

  async #completeRemote(held: HeldLease, store: ObjectStore, plan: DirectPlan): Promise<File> {
    const { clock, completion, transaction, projects, hashLater } = this.#options;
    const { upload } = held;
    const stat = await store.stat(upload.storageKey);
    if (stat?.size !== plan.size)
      throw new CarcosaError('upload_incomplete', { details: { expected: plan.size, actual: stat?.size ?? 0 } });
    const sha256 = await this.#knownSha256(store, upload, stat);
    if (sha256 !== null) assertChecksum(upload, sha256);
    const contentType = await sniffObject(store, upload, stat.size);
    const { hashDirectUploads } = await projects.uploadProject(upload.projectId);
    held.assertTrusted();
    // A presigned PUT can be repeated until it expires: what it brings then is collected afterwards.
    const collectAfter = plan.strategy === 'single' ? upload.expiresAt : clock.now();
    const facts = { size: stat.size, contentType, sha256 };
    const file = await transaction(async (db) => {
      const made = await completion.fileWithin(db, held, facts, { collectAfter });
      if (sha256 === null && hashDirectUploads) await hashLater(db, upload.objectId);
      return made;
    });
    return completion.filed(held.upload, file);
  }

  /** The provider's own word; else read back at once where the client wants it compared; else a job learns it later. */
  async #knownSha256(store: ObjectStore, upload: UploadRow, stat: ObjectStat): Promise<string | null> {
    if (stat.sha256) return stat.sha256;
    return upload.checksum === null ? null : hashObject(store, upload.storageKey);
  }

  async #begin(store: ObjectStore, upload: UploadRow, plan: DirectPlan): Promise<StagedRef> {
    const contentType = typeOf(upload);
    const input = { uploadId: upload.id, key: upload.storageKey, contentType };
    if (store.presign) return store.presign.begin({ ...input, strategy: plan.strategy });
    const staged = await store.stage({ ...input, size: plan.size });
    try {
      await staged.sync();
      return staged.ref;
    } finally {
      await staged.close();
    }
  }

  async #sign(
    store: ObjectStore,
    upload: UploadRow,
    plan: DirectPlan,
    partNumber: number,
  ): Promise<Omit<SignedPart, 'partNumber'>> {
    const { size } = partPlace(plan, partNumber);
    const expiresIn = ADDRESS_SECONDS;
    const { presign } = store;
    const single = plan.strategy === 'single';
    if (!presign) {
      const url = this.#options.addresses.sign(upload.id, partNumber, expiresIn);
      return { url, headers: single ? { 'content-type': typeOf(upload) } : {} };
    }
    const { url, headers } = single
      ? await presign.signPut({
          ref: refOf(upload),
          size,
          contentType: typeOf(upload),
          expiresIn,
        })
      : await presign.signPart({ ref: refOf(upload), partNumber, size, expiresIn });
    return { url, headers };
  }

  async #receivedParts(store: ObjectStore, upload: UploadRow): Promise<StoredPart[]> {
    if (store.presign) return providerParts(store.presign, upload);
    const { parts, writing } = await findParts(this.#options.db, upload.id);
    if (writing && upload.leaseOwner !== null) throw new CarcosaError('upload_locked', { retryAfter: 1 });
    return parts;
  }

  async #findOpen(actor: Actor, id: string): Promise<UploadRow> {
    const upload = await this.#options.uploads.find(actor, id);
    if (upload.door !== 'direct')
      throw new CarcosaError('conflict', { message: 'This upload was not begun as a direct one.' });
    if (upload.status !== 'open') throw new CarcosaError('upload_not_open');
    return upload;
  }

  async #fileOf(upload: UploadRow): Promise<File> {
    const file = upload.status === 'completed' ? await this.#options.uploads.fileOf(upload) : null;
    if (!file) throw new CarcosaError('upload_not_open');
    return file;
  }

  async #release(held: HeldLease): Promise<void> {
    const { offset, staged, size, expiresAt, id } = held.upload;
    try {
      await saveProgress(this.#options.db, id, held.lease, { offset, staged, size, expiresAt }, true);
    } catch (error) {
      this.#options.logger.warn({ err: error, uploadId: id }, 'could not release an upload; its lease will lapse');
    }
  }

  #storeOf(upload: UploadRow): Promise<ObjectStore> {
    return this.#options.stores.storeFor(upload.bucketId);
  }
}

async function providerParts(presign: PresignCapability, upload: UploadRow): Promise<StoredPart[]> {
  return presign.parts(refOf(upload));
}

/** The address was signed for just these bytes; a provider would refuse others by their signature too. */
function assertSigned({ length, contentType, partNumber }: PartRequest, plan: DirectPlan, upload: UploadRow): void {
  const { size } = partPlace(plan, partNumber);
  if (length === null) throw new CarcosaError('length_required');
  if (length !== size) {
    throw new CarcosaError('signature_invalid', { message: `This address is for ${size} bytes, not ${length}.` });
  }
  if (plan.strategy === 'single' && contentType !== typeOf(upload)) {
    throw new CarcosaError('signature_invalid', { message: `This address is for Content-Type: ${typeOf(upload)}.` });
  }
}

function typeOf(upload: UploadRow): string {
  return upload.declaredContentType ?? 'application/octet-stream';
}

function refOf(upload: UploadRow): StagedRef {
  if (!upload.staged) throw new CarcosaError('upload_not_open');
  return upload.staged;
}

/** `"abc"` and `abc` are the same ETag to clients that copy the header as it is. */
function unquote(etag: string): string {
  return etag.replace(/^"(.*)"$/, '$1');
}
