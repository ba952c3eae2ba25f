import { createHash } from 'node:crypto';
import { type File, splitPath } from '@carcosa/contracts';
import {
  advanceWholeUploads,
  dropPendingObject,
  findFileOfObject,
  type NewUpload,
  type PendingObject,
  type Queryable,
  type WholeUpload,
} from '@carcosa/database';
import {
  CarcosaError,
  type Clock,
  type Histogram,
  type IdGenerator,
  isCarcosaError,
  type Logger,
  type Random,
} from '@carcosa/kernel';
import { sniffContentType } from '@carcosa/media';
import type { ObjectStore } from '@carcosa/storage/port';
import type { Actor } from '../access/actor.ts';
import { auditEntry } from '../audit/audit-entry.ts';
import type { StoreRegistry } from '../buckets/store-registry.ts';
import { newFileKey } from '../files/file-key.ts';
import { assertAccepts } from './file-rules.ts';
import { GroupCommit } from './group-commit.ts';
import { receive } from './upload-body.ts';
import { assertChecksum, type UploadCompletion, whyNotFiled } from './upload-completion.ts';
import type { UploadProjects } from './upload-project.ts';
import type { WriteBody } from './upload-service.ts';

/** Most steps of uploads that share a transaction. */
const MAX_GROUP = 128;
/** After this long the collector takes whoever announced an object for dead. */
const PENDING_MS = 30_000;
/** A writer that was paused for longer stores nothing any more: well before that. */
const TRUST_MS = 22_000;

export interface WholeUploadsOptions {
  db: Queryable;
  stores: StoreRegistry;
  projects: UploadProjects;
  completion: UploadCompletion;
  clock: Clock;
  ids: IdGenerator;
  random: Random;
  logger: Logger;
  /** Whether contents are scanned before they are served. */
  scans?: boolean | undefined;
  /** Without a "/" at its end. */
  publicUrl: string;
}

/** With the place that no two of one group may share. */
type Step = { place: string; announced?: PendingObject; stored?: WholeUpload };

interface Gathered {
  content: Uint8Array;
  /** Hex. */
  sha256: string;
}

/**
 * Small uploads whose bytes all come in the request that creates them. They are gathered in memory, announced, stored in one step, and
 * filed: nothing of them can be continued, so they need no session, no staging and no lease. A failure leaves nothing, and a crash
 * leaves what was announced for the collector.
 */
export class WholeUploads {
  readonly #options: WholeUploadsOptions;
  /** One line for both steps: what waits to be filed is in the same transaction as what waits to be stored. */
  readonly #steps: GroupCommit<Step, File | undefined>;

  constructor(options: WholeUploadsOptions) {
    this.#options = options;
    const { db, publicUrl } = options;
    this.#steps = new GroupCommit({
      maxItems: MAX_GROUP,
      key: ({ place }) => place,
      run: async (steps) => {
        const announced = steps.flatMap((step) => step.announced ?? []);
        const stored = steps.flatMap((step) => step.stored ?? []);
        const files = await advanceWholeUploads(db, { announced, stored }, publicUrl);
        return steps.map(({ stored: whole }) => (whole ? files.get(whole.upload.id) : undefined));
      },
    });
  }

  /** How many steps of uploads shared each transaction. */
  get groupSizes(): Histogram {
    return this.#steps.sizes;
  }

  /** The store that would take this upload whole; null where it has to be staged. */
  async storeFor(upload: NewUpload, body: Omit<WriteBody, 'offset'>): Promise<ObjectStore | null> {
    const { size, doorState, bucketId } = upload;
    if (size === null || body.length !== size || body.revise || doorState.concat !== undefined) return null;
    const store = await this.#options.stores.storeFor(bucketId);
    return store.whole && size <= store.whole.maxSize ? store : null;
  }

  /** @throws CarcosaError as the bodies of other uploads do; then nothing is kept */
  async store(store: ObjectStore, actor: Actor, upload: NewUpload, body: Omit<WriteBody, 'offset'>): Promise<File> {
    const { content, sha256 } = await gather(upload, body);
    assertChecksum(upload, sha256);
    const { rules } = await this.#options.projects.uploadProject(upload.projectId);
    const trustedUntil = performance.now() + TRUST_MS;
    const { objectId: id, bucketId, storageKey, declaredContentType, path } = upload;
    const dueAt = this.#options.clock.now() + PENDING_MS;
    const { length: size } = content;
    const [contentType] = await Promise.all([
      // Before the store takes the content's memory.
      sniffContentType(content, declaredContentType, splitPath(path).name),
      this.#steps.submit({ place: id, announced: { id, bucketId, storageKey, size, dueAt } }),
    ]);
    let maybeFiled = false;
    try {
      assertAccepts(rules, { size, contentType });
      assertTrusted(trustedUntil);
      await store.whole?.put(storageKey, content);
      assertTrusted(trustedUntil);
      maybeFiled = true;
      return await this.#file(actor, upload, { size, sha256, contentType });
    } catch (error) {
      // What the database has said nothing clear of may be a file: then the collector decides.
      const isClear = isCarcosaError(error, 'upload_fenced') || isCarcosaError(error, 'not_found');
      if (!maybeFiled || isClear) await this.#forget(store, upload);
      throw error;
    }
  }

  async #file(
    actor: Actor,
    upload: NewUpload,
    facts: Pick<WholeUpload, 'size' | 'sha256' | 'contentType'>,
  ): Promise<File> {
    const { db, ids, random, clock, projects, completion, publicUrl } = this.#options;
    const { projectId, tenantId, path, door } = upload;
    const { defaultVisibility, organizationId } = await projects.uploadProject(projectId);
    const { size, contentType } = facts;
    const event = {
      action: 'file.create',
      place: { organizationId, projectId, tenantId },
      after: { path, size, contentType, door, uploadId: upload.id },
    } as const;
    const stored = {
      upload,
      fileId: ids.next('file'),
      fileKey: newFileKey(random),
      ...splitPath(path),
      defaultVisibility,
      ...facts,
      now: clock.now(),
      quarantine: this.#options.scans ? ('pending' as const) : null,
      audit: auditEntry(actor, event, clock),
    };
    const file = await this.#steps.submit({ place: `${projectId}/${tenantId}/${path}`, stored });
    if (file) return completion.committed(door, file);
    // An answer of the database may have been lost after it committed: then the file is there.
    const before = await findFileOfObject(db, upload.objectId, publicUrl);
    if (!before) throw await whyNotFiled(db, tenantId);
    return completion.committed(door, before);
  }

  async #forget(store: ObjectStore, upload: NewUpload): Promise<void> {
    const { db, logger } = this.#options;
    try {
      await store.delete(upload.storageKey);
      // A claim that the collector has made stays: it looks once more.
      await dropPendingObject(db, upload.objectId);
    } catch (failure) {
      logger.warn(
        { err: failure, uploadId: upload.id },
        'the bytes of an upload that failed are left to the collector',
      );
    }
  }
}

/** Reads the body to its end and verifies it. @throws CarcosaError `length_mismatch`, `checksum_mismatch`, those of {@link receive} */
async function gather(upload: NewUpload, { body, checksum }: Omit<WriteBody, 'offset'>): Promise<Gathered> {
  const chunks: Uint8Array[] = [];
  let ours = true;
  const hash = createHash('sha256');
  const declared = checksum ? createHash(checksum.algorithm) : null;
  const size = upload.size ?? 0;
  const received = await receive(body, {
    limit: size,
    append: (chunk, owned) => {
      hash.update(chunk);
      declared?.update(chunk);
      chunks.push(chunk);
      ours &&= owned;
      return undefined;
    },
  });
  if (received !== size) throw new CarcosaError('length_mismatch');
  if (declared && !declared.digest().equals(checksum?.digest ?? Buffer.alloc(0))) {
    throw new CarcosaError('checksum_mismatch');
  }
  return { content: joined(chunks, size, ours), sha256: hash.digest('hex') };
}

/** In memory of its own, which the store may take: the one chunk itself where nobody else sees it. */
function joined(chunks: readonly Uint8Array[], size: number, ours: boolean): Uint8Array {
  const [only] = chunks;
  if (ours && chunks.length === 1 && only && only.buffer.byteLength === size) return only;
  const content = new Uint8Array(size);
  let filled = 0;
  for (const chunk of chunks) {
    content.set(chunk, filled);
    filled += chunk.length;
  }
  return content;
}

function assertTrusted(until: number): void {
  if (performance.now() >= until) throw new CarcosaError('upload_fenced');
}
