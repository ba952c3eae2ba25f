import {
  type CreateTransformJobBody,
  type ListJobItemsQuery,
  type ListTransformJobsQuery,
  MAX_BATCH_FILES,
  type MediaStep,
  type Page,
  type TransformJob,
  type TransformJobItem,
} from '@carcosa/contracts';
import {
  countJobItems,
  endTransformJob,
  findSource,
  findTransformJob,
  insertJobItems,
  insertTransformJob,
  type JobId,
  listJobItems,
  listRunningJobs,
  listTransformJobs,
  type NewTransformJob,
  type Queryable,
  requestCancel,
  type TransformJobRow,
} from '@carcosa/database';
import { CarcosaError, type Clock, type IdGenerator, isId, type TenantId } from '@carcosa/kernel';
import type { MediaPrograms } from '@carcosa/media';
import { type Access, projectOf } from '../access/access.ts';
import { type Actor, actorId } from '../access/actor.ts';
import { assertCovers, covers, type Grant, mayPlace, placeRefused } from '../access/grant.ts';
import { record } from '../audit/record.ts';
import { decodeCursor, encodeCursor } from '../files/cursor.ts';
import { pageOf } from '../lists.ts';
import type { Operation, OperationSource, Progress } from '../realtime/operation-progress.ts';
import { itemView, jobView } from './job-view.ts';
import { resultPath } from './result-paths.ts';
import { assertServable, assertStepFits } from './step-maker.ts';

export interface TransformJobsParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  access: Access;
  clock: Clock;
  ids: IdGenerator;
  progress: Progress;
  /** Has a job done, if and only if the transaction commits. */
  runLater(tx: Queryable, job: { id: JobId; isSmall: boolean }): Promise<void>;
  /** Where FFmpeg is. @throws CarcosaError `program_missing` */
  programs(): MediaPrograms;
}

/** Steps that are done in seconds, whatever the length of a film. */
const SMALL: ReadonlySet<string> = new Set(['poster', 'thumbnails', 'image', 'preview', 'gif-to-video']);
const LIST = 'transform-jobs';

/** Jobs that make files of files: their door. Who does them is `TransformRunner`. */
export class TransformJobs implements OperationSource {
  readonly #parts: TransformJobsParts;

  constructor(parts: TransformJobsParts) {
    this.#parts = parts;
  }

  /**
   * Has something made of a file, or of many.
   * @throws CarcosaError `not_found`, `forbidden`, `unsupported_media_type` for a step that the file does not have, `program_missing`,
   *   `invalid_request` for a batch of too many files
   */
  async create(actor: Actor, input: CreateTransformJobBody): Promise<TransformJob> {
    const grant = await this.#parts.access.authorize(actor, 'transforms:execute', projectOf(actor, input.projectId));
    if (input.steps.some(({ type }) => type !== 'image')) this.#parts.programs();
    const job =
      input.fileId === undefined ? this.#draftBatch(actor, grant, input) : await this.#draft(actor, grant, input);
    await this.#parts.transaction(async (tx) => {
      await this.enqueue(tx, job);
      if (job.kind === 'batch') await this.#fill(tx, job, grant, input);
      const { kind, fileId, path } = job;
      const after = { kind, fileId, path, steps: input.steps, into: input.into };
      const resource = { type: 'transform', id: job.id } as const;
      const place = { projectId: job.projectId, tenantId: job.tenantId };
      await record(tx, this.#parts.clock, actor, { action: 'transform.create', resource, place, after });
    });
    return await this.#view(await this.#row(job.id));
  }

  /** Writes a job down and has it done. */
  async enqueue(tx: Queryable, job: NewTransformJob): Promise<void> {
    await insertTransformJob(tx, job);
    await this.#parts.runLater(tx, { id: job.id, isSmall: isSmall(job) });
  }

  /** Has everything done that somebody was working on, who is known to be dead. */
  async resume(): Promise<void> {
    const { db, transaction, runLater } = this.#parts;
    for (const job of await listRunningJobs(db)) {
      await transaction((tx) => runLater(tx, { id: job.id, isSmall: isSmall(job) }));
    }
  }

  /** @throws CarcosaError `not_found`, `forbidden` */
  async get(actor: Actor, id: string): Promise<TransformJob> {
    return await this.#view(await this.#readable(actor, id, 'transforms:read'));
  }

  /** Newest first. */
  async list(actor: Actor, query: ListTransformJobsQuery): Promise<Page<TransformJob>> {
    const { projectId, tenantId, pathPrefix } = await this.#parts.access.authorize(
      actor,
      'transforms:read',
      projectOf(actor, query.projectId),
    );
    const { fileId, status, limit, cursor } = query;
    const before = cursor === undefined ? undefined : decodeCursor(LIST, cursor, [''])[0];
    const listing = { projectId, tenantId: tenantId ?? undefined, pathPrefix, fileId, status, limit, before };
    const rows = await listTransformJobs(this.#parts.db, listing);
    const counts = await Promise.all(rows.map((row) => this.#counts(row)));
    const views = new Map(rows.map((row, at) => [row.id, jobView(row, counts[at] ?? null)]));
    return pageOf(LIST, rows, limit, ({ id }) => views.get(id) as TransformJob);
  }

  /** The files of a batch and what became of each. */
  async items(actor: Actor, id: string, { status, limit, cursor }: ListJobItemsQuery): Promise<Page<TransformJobItem>> {
    const row = await this.#readable(actor, id, 'transforms:read');
    const after = cursor === undefined ? undefined : decodeCursor('job-items', cursor, [0])[0];
    const rows = await listJobItems(this.#parts.db, row.id, { status, limit, after });
    const items = rows.slice(0, limit).map(itemView);
    const last = items.at(-1);
    const hasMore = rows.length > limit;
    return { items, hasMore, nextCursor: hasMore && last ? encodeCursor('job-items', [last.position]) : null };
  }

  /**
   * Calls a job off: at once where it waits; within seconds where it is being done. What it has made stays.
   * @throws CarcosaError `not_found`, `forbidden`, `conflict` for one that has ended
   */
  async cancel(actor: Actor, id: string): Promise<TransformJob> {
    const { db, transaction, clock, progress } = this.#parts;
    const { projectId, tenantId, fileId, path } = await this.#readable(actor, id, 'transforms:execute');
    const jobId = id as JobId;
    await transaction(async (tx) => {
      const was = await requestCancel(tx, jobId);
      if (was === null) throw new CarcosaError('conflict', { message: 'This job has ended.' });
      if (was === 'waiting') await endTransformJob(tx, jobId, { status: 'cancelled', runner: null, now: clock.now() });
      const resource = { type: 'transform', id } as const;
      const event = { action: 'transform.cancel', resource, place: { projectId, tenantId } } as const;
      await record(tx, clock, actor, { ...event, after: { fileId, path } });
    });
    const row = await findTransformJob(db, jobId);
    if (row?.status === 'cancelled') progress.report({ id, status: 'cancelled', progress: Math.round(row.progress) });
    return await this.#view(row);
  }

  /** For those who follow it. */
  async find(id: string): Promise<Operation | null> {
    const row = isId('job', id) ? await findTransformJob(this.#parts.db, id) : null;
    if (!row) return null;
    const { status, progress, step, error, projectId, tenantId, path } = row;
    const state = {
      id,
      status,
      progress: Math.floor(progress),
      ...(step ? { step } : {}),
      ...(error ? { error: error.code } : {}),
    };
    return { ...state, projectId, tenantId: tenantId || null, path };
  }

  async #draft(actor: Actor, grant: Grant, input: CreateTransformJobBody): Promise<NewTransformJob> {
    const { db } = this.#parts;
    const source = isId('file', input.fileId) ? await findSource(db, input.fileId, input.version ?? null) : null;
    if (source?.projectId !== grant.projectId) throw new CarcosaError('not_found');
    assertCovers(grant, { ...source, tenantId: source.tenantId || null });
    assertServable(source);
    for (const step of input.steps) {
      assertStepFits(step, source.contentType);
      if (step.path !== undefined && !mayPlace(grant, resultPath(step.path, source, ''))) throw placeRefused(grant);
    }
    const { fileId, version, path, tenantId } = source;
    return { ...this.#common(actor, grant, input), kind: 'file', fileId, version, path, tenantId };
  }

  #draftBatch(actor: Actor, grant: Grant, input: CreateTransformJobBody): NewTransformJob {
    const { pathPrefix, tenantId } = grant;
    // Whether each result may lie where its template says cannot be said before.
    if (pathPrefix !== '' && input.steps.some(({ path }) => path !== undefined && !path.startsWith('{folder}'))) {
      throw placeRefused(grant);
    }
    const path = input.select?.folder ?? pathPrefix;
    return {
      ...this.#common(actor, grant, input),
      kind: 'batch',
      fileId: null,
      version: null,
      path,
      tenantId: tenantId ?? '',
    };
  }

  #common(actor: Actor, { projectId }: Grant, { steps, into, select }: CreateTransformJobBody) {
    const { ids, clock } = this.#parts;
    return {
      id: ids.next('job'),
      projectId,
      origin: 'request',
      input: { steps, into, ...(select ? { select } : {}) },
      createdBy: actorId(actor),
      createdAt: clock.now(),
    } as const;
  }

  async #fill(tx: Queryable, job: NewTransformJob, grant: Grant, { select }: CreateTransformJobBody): Promise<void> {
    const { folder, recursive = true, type, tag, q, ids } = select ?? {};
    const tenantId: TenantId | undefined = grant.tenantId ?? undefined;
    const filter = {
      ...({
        projectId: job.projectId,
        status: 'live',
        folder,
        recursive,
        type,
        tag,
        nameContains: q,
        tenantId,
      } as const),
      pathPrefix: grant.pathPrefix,
    };
    const found = await insertJobItems(tx, job.id, { filter, ids, limit: MAX_BATCH_FILES });
    const message =
      found === 0
        ? 'There are no such files.'
        : `There are more than ${MAX_BATCH_FILES} such files; take fewer at a time.`;
    if (found === 0 || found > MAX_BATCH_FILES) throw new CarcosaError('invalid_request', { message });
  }

  async #readable(
    actor: Actor,
    id: string,
    permission: 'transforms:read' | 'transforms:execute',
  ): Promise<TransformJobRow> {
    const row = isId('job', id) ? await findTransformJob(this.#parts.db, id) : null;
    if (!row) throw new CarcosaError('not_found');
    const grant = await this.#parts.access.authorize(actor, permission, row.projectId);
    const isCovered =
      covers(grant, { tenantId: row.tenantId || null, path: row.path ?? '' }) || row.path === grant.pathPrefix;
    if (!isCovered || (grant.tenantId !== null && row.tenantId !== grant.tenantId)) throw new CarcosaError('not_found');
    return row;
  }

  async #row(id: JobId): Promise<TransformJobRow> {
    const row = await findTransformJob(this.#parts.db, id);
    if (!row) throw new CarcosaError('not_found');
    return row;
  }

  async #view(row: TransformJobRow | null): Promise<TransformJob> {
    if (!row) throw new CarcosaError('not_found');
    return jobView(row, await this.#counts(row));
  }

  async #counts(row: TransformJobRow) {
    return row.kind === 'batch' ? await countJobItems(this.#parts.db, row.id) : null;
  }
}

function isSmall({ kind, input }: Pick<NewTransformJob, 'kind' | 'input'>): boolean {
  return kind === 'file' && (input as { steps: readonly MediaStep[] }).steps.every(({ type }) => SMALL.has(type));
}
