import type { File } from '@carcosa/contracts';
import { splitPath } from '@carcosa/contracts';
import {
  type UploadCompletion as Completion,
  completeUploads,
  findCompletedFile,
  findTenant,
  isUniqueViolation,
  type Queryable,
  type UploadRow,
} from '@carcosa/database';
import {
  CarcosaError,
  type Clock,
  type Histogram,
  type IdGenerator,
  isCarcosaError,
  type Random,
  type TenantId,
} from '@carcosa/kernel';
import { SNIFF_BYTES, sniffContentType } from '@carcosa/media';
import type { ObjectStore, StagedObject } from '@carcosa/storage/port';
import { auditEntry } from '../audit/audit-entry.ts';
import { newFileKey } from '../files/file-key.ts';
import { factsOfCommitted } from './committed-content.ts';
import { assertAccepts } from './file-rules.ts';
import { GroupCommit } from './group-commit.ts';
import type { HeldLease } from './upload-leases.ts';
import type { UploadProgress } from './upload-progress.ts';
import type { UploadProjects } from './upload-project.ts';
import { assertUploadRules } from './upload-rules.ts';
import { UploadTally } from './upload-tally.ts';

/** Most uploads that share a transaction. */
const MAX_GROUP = 64;

export interface UploadCompletionOptions {
  db: Queryable;
  projects: UploadProjects;
  progress: UploadProgress;
  clock: Clock;
  ids: IdGenerator;
  random: Random;
  /** Without a "/" at its end. */
  publicUrl: string;
  /** Whether contents are scanned before they are served. */
  scans?: boolean | undefined;
  /** Told the keys of files that got a new version, once it is committed: this process may remember the one before. */
  onChange?: ((keys: string[]) => void) | undefined;
}

/** What is known of the content once it is whole. */
export interface ContentFacts {
  size: number;
  contentType: string;
  /** Hex; null where nobody has computed it yet. */
  sha256: string | null;
  /** Hex; absent where no door asked for it. */
  md5?: string | null;
}

/** With the place that no two of one group may share. */
type PreparedCompletion = Completion & { place: string };

/** The last step that every door takes: bytes that are committed in the bucket become a file, exactly once. */
export class UploadCompletion {
  readonly tally = new UploadTally();
  readonly #options: UploadCompletionOptions;
  readonly #groups: GroupCommit<PreparedCompletion, File | undefined>;

  constructor(options: UploadCompletionOptions) {
    this.#options = options;
    this.#groups = new GroupCommit({
      maxItems: MAX_GROUP,
      key: (item) => item.place,
      run: async (items) => {
        const files = await completeUploads(options.db, items, options.publicUrl);
        return items.map((item) => files.get(item.uploadId));
      },
    });
  }

  /**
   * Verifies, commits and files what is staged for a held upload.
   * @throws CarcosaError `checksum_mismatch` when the client declared another checksum, `file_too_large`, `file_type_not_allowed`: nothing
   *   is committed then
   */
  async completeStaged(held: HeldLease, staged: StagedObject): Promise<File> {
    const { upload } = held;
    const [sha256, head] = await Promise.all([staged.sha256(), staged.head(SNIFF_BYTES)]);
    assertChecksum(upload, sha256);
    held.assertTrusted();
    const size = staged.length;
    const contentType = await sniffContentType(head, upload.declaredContentType, splitPath(upload.path).name);
    const { rules } = await this.#options.projects.uploadProject(upload.projectId);
    assertAccepts(rules, { size, contentType });
    await assertUploadRules(upload, { contentType, head: (bytes) => staged.head(bytes) });
    await staged.commit(upload.storageKey).catch((error: unknown) => {
      // What was staged is gone, or its place taken: another writer has taken it over, or it was collected.
      throw isCarcosaError(error, 'not_found') || isCarcosaError(error, 'conflict')
        ? new CarcosaError('upload_fenced', { cause: error })
        : error;
    });
    const collectAfter = staged.mayLeaveTraces ? { collectAfter: this.#options.clock.now() } : {};
    return this.file(held, { size, contentType, sha256, md5: held.md5 }, collectAfter);
  }

  /**
   * Files an upload whose bytes have got their final name already, by a request that ended before the database knew.
   * @throws CarcosaError `upload_not_open` when they are not there, `checksum_mismatch`
   */
  async completeCommitted(held: HeldLease, store: ObjectStore): Promise<File> {
    const { upload } = held;
    const stat = await store.stat(upload.storageKey);
    if (!stat || stat.size !== upload.size) throw new CarcosaError('upload_not_open');
    const facts = await factsOfCommitted(store, upload, stat);
    assertChecksum(upload, facts.sha256 ?? '');
    return this.file(held, facts);
  }

  /** Files an upload whose bytes are committed under its key. @throws CarcosaError `upload_fenced` when another has taken it over */
  async file(held: HeldLease, facts: ContentFacts, options: { collectAfter?: number } = {}): Promise<File> {
    const completion = await this.#prepare(held, facts, options);
    held.assertTrusted();
    const isAlone = held.upload.doorState.fileKey !== undefined;
    const file = isAlone ? await this.#alone(completion) : await this.#groups.submit(completion);
    return this.filed(held.upload, file ?? (await this.#completedBefore(held.upload)));
  }

  /** To be called when the file of a session is committed. */
  filed({ id, door }: Pick<UploadRow, 'id' | 'door'>, file: File): File {
    this.#options.progress.completed(id, file.size);
    return this.committed(door, file);
  }

  /** A key that an app chose can be taken, which must not fail those who share a transaction. @throws CarcosaError `conflict` */
  async #alone(completion: PreparedCompletion): Promise<File | undefined> {
    const { db, publicUrl } = this.#options;
    try {
      return (await completeUploads(db, [completion], publicUrl)).get(completion.uploadId);
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new CarcosaError('conflict', { message: 'There is another file with this key.', cause: error });
    }
  }

  /** How many uploads shared each transaction that filed them. */
  get groupSizes(): Histogram {
    return this.#groups.sizes;
  }

  /** As {@link file}, inside the caller's transaction; call {@link filed} with the file after it. */
  async fileWithin(
    db: Queryable,
    held: HeldLease,
    facts: ContentFacts,
    options: { collectAfter?: number } = {},
  ): Promise<File> {
    const completion = await this.#prepare(held, facts, options);
    const files = await completeUploads(db, [completion], this.#options.publicUrl);
    return files.get(held.upload.id) ?? this.#completedBefore(held.upload);
  }

  /** To be called when a file is committed. */
  committed(door: UploadRow['door'], file: File): File {
    this.tally.complete(door, file.size);
    if (file.version > 1) this.#options.onChange?.([file.key]);
    return file;
  }

  async #prepare(
    held: HeldLease,
    facts: ContentFacts,
    options: { collectAfter?: number },
  ): Promise<PreparedCompletion> {
    const { upload, lease, actor } = held;
    const { projectId, tenantId, path, door } = upload;
    const { clock, ids, random, projects } = this.#options;
    const { defaultVisibility, organizationId, rules } = await projects.uploadProject(projectId);
    assertAccepts(rules, facts);
    const { size, contentType } = facts;
    const place = { organizationId, projectId, tenantId };
    const after = { path, size, contentType, door, uploadId: upload.id };
    return {
      uploadId: upload.id,
      lease,
      fileId: ids.next('file'),
      fileKey: chosenKey(upload) ?? newFileKey(random),
      place: `${upload.projectId}/${upload.tenantId}/${upload.path}`,
      ...splitPath(upload.path),
      defaultVisibility,
      ...facts,
      md5: facts.md5 ?? null,
      collectAfter: options.collectAfter ?? null,
      quarantine: this.#options.scans ? 'pending' : null,
      now: clock.now(),
      audit: auditEntry(actor, { action: 'file.create', place, after }, clock),
    };
  }

  /** An answer of the database may have been lost after it committed: then the file is there. */
  async #completedBefore({ id, tenantId }: UploadRow): Promise<File> {
    const { db, publicUrl } = this.#options;
    const file = await findCompletedFile(db, id, publicUrl);
    if (!file) throw await whyNotFiled(db, tenantId);
    return file;
  }
}

function chosenKey({ doorState: { fileKey } }: UploadRow): string | undefined {
  return typeof fileKey === 'string' ? fileKey : undefined;
}

/** Why an upload whose bytes are stored has become no file. */
export async function whyNotFiled(db: Queryable, tenantId: TenantId | ''): Promise<CarcosaError> {
  if (tenantId === '' || (await findTenant(db, tenantId))) return new CarcosaError('upload_fenced');
  return new CarcosaError('not_found', { message: 'The tenant that this upload was for has been removed.' });
}

/** @throws CarcosaError `checksum_mismatch` unless the client declared none or this one */
export function assertChecksum(upload: Pick<UploadRow, 'checksum'>, sha256: string): void {
  if (upload.checksum === null || upload.checksum === `sha256:${sha256}`) return;
  throw new CarcosaError('checksum_mismatch', { details: { expected: upload.checksum, actual: `sha256:${sha256}` } });
}
