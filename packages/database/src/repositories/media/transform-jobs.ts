import type { OperationStatus } from '@carcosa/contracts';
import type { BucketId, FileId, Id, ObjectId, ProjectId, TenantId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

export type JobId = Id<'job'>;

/** A job as it is stored. Instants in milliseconds since the epoch. */
export interface TransformJobRow {
  id: JobId;
  kind: 'file' | 'batch';
  projectId: ProjectId;
  tenantId: TenantId | '';
  fileId: FileId | null;
  version: number | null;
  /** Of the file, or the folder that all files of a batch are in. */
  path: string | null;
  origin: 'request' | 'arrival';
  status: OperationStatus;
  /** Percent. */
  progress: number;
  step: string | null;
  input: Record<string, unknown>;
  results: unknown[];
  error: { code: string; message: string } | null;
  cancelRequested: boolean;
  createdBy: string;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
}

export type NewTransformJob = Pick<
  TransformJobRow,
  | 'id'
  | 'kind'
  | 'projectId'
  | 'tenantId'
  | 'fileId'
  | 'version'
  | 'path'
  | 'origin'
  | 'input'
  | 'createdBy'
  | 'createdAt'
>;

const millis = (column: string, as: string) => `(extract(epoch from ${column}) * 1000)::float8 as "${as}"`;

const COLUMNS = `j.id, j.kind, j.project_id as "projectId", j.tenant_id as "tenantId", j.file_id as "fileId", j.version, j.path, j.origin, j.status,
  j.progress, j.step, j.input, j.results, j.error, j.cancel_requested as "cancelRequested", j.created_by as "createdBy",
  ${millis('j.created_at', 'createdAt')}, ${millis('j.started_at', 'startedAt')}, ${millis('j.finished_at', 'finishedAt')}`;

export async function insertTransformJob(tx: Queryable, job: NewTransformJob): Promise<void> {
  await tx.query(
    `insert into transform_jobs (id, kind, project_id, tenant_id, file_id, version, path, origin, status, input, created_by, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9, $10, to_timestamp($11::float8 / 1000))`,
    [
      ...[job.id, job.kind, job.projectId, job.tenantId, job.fileId, job.version, job.path, job.origin],
      ...[JSON.stringify(job.input), job.createdBy, job.createdAt],
    ],
  );
}

export async function findTransformJob(db: Queryable, id: JobId): Promise<TransformJobRow | null> {
  const { rows } = await db.query<TransformJobRow>(`select ${COLUMNS} from transform_jobs j where j.id = $1`, [id]);
  return rows[0] ?? null;
}

export interface TransformJobListing {
  projectId: ProjectId;
  /** Only those of this tenant. */
  tenantId: string | undefined;
  /** Only those of files below this folder. */
  pathPrefix: string;
  fileId: string | undefined;
  status: OperationStatus | undefined;
  limit: number;
  before: string | undefined;
}

/** Newest first, one more than `limit`. */
export async function listTransformJobs(db: Queryable, listing: TransformJobListing): Promise<TransformJobRow[]> {
  const { projectId, tenantId, pathPrefix, fileId, status, limit, before } = listing;
  const { rows } = await db.query<TransformJobRow>(
    `select ${COLUMNS} from transform_jobs j where j.project_id = $1 and ($2::text is null or j.tenant_id = $2)
       and ($3 = '' or starts_with(j.path, $3 || '/')) and ($4::text is null or j.file_id = $4) and ($5::text is null or j.status = $5)
       and ($6::text is null or j.id < $6) order by j.id desc limit $7`,
    [projectId, tenantId ?? null, pathPrefix, fileId ?? null, status ?? null, before ?? null, limit + 1],
  );
  return rows;
}

/**
 * Takes a job to work on, from whoever had it before. Null when it has ended, or is gone.
 * @param runner names this attempt
 * @returns it as it stands, and whether it begins now
 */
export async function startTransformJob(
  tx: Queryable,
  id: JobId,
  { runner, now }: { runner: string; now: number },
): Promise<(TransformJobRow & { begins: boolean }) | null> {
  const { rows } = await tx.query<TransformJobRow & { begins: boolean }>(
    `update transform_jobs j set status = 'processing', runner = $3, started_at = coalesce(j.started_at, to_timestamp($2::float8 / 1000))
     from (select id, status = 'waiting' as begins from transform_jobs where id = $1 for update) was
     where j.id = was.id and j.status in ('waiting', 'processing') returning ${COLUMNS}, was.begins`,
    [id, now, runner],
  );
  return rows[0] ?? null;
}

/** Notes how far a job is, and what it has made since. @returns whether it may go on: nobody has called it off, or taken it over */
export async function noteTransformProgress(
  db: Queryable,
  id: JobId,
  {
    runner,
    progress,
    step,
    results,
  }: { runner: string; progress: number; step: string | null; results?: readonly unknown[] },
): Promise<'go-on' | 'cancelled' | 'taken'> {
  const { rows } = await db.query<{ cancelRequested: boolean }>(
    `update transform_jobs set progress = $3, step = $4, results = coalesce($5::jsonb, results)
     where id = $1 and runner = $2 and status = 'processing' returning cancel_requested as "cancelRequested"`,
    [id, runner, progress, step, results ? JSON.stringify(results) : null],
  );
  if (!rows[0]) return 'taken';
  return rows[0].cancelRequested ? 'cancelled' : 'go-on';
}

/** Jobs that somebody works on, or did so until it died. */
export async function listRunningJobs(db: Queryable): Promise<Pick<TransformJobRow, 'id' | 'kind' | 'input'>[]> {
  const { rows } = await db.query<TransformJobRow>(
    `select ${COLUMNS} from transform_jobs j where j.status = 'processing' order by j.id`,
  );
  return rows;
}

/** Ends a job: one that waits, or where `runner` is given, the one that it works on. `false`: it had ended, or was taken over. */
export async function endTransformJob(
  tx: Queryable,
  id: JobId,
  end: {
    status: 'completed' | 'failed' | 'cancelled';
    runner: string | null;
    results?: readonly unknown[];
    error?: { code: string; message: string };
    now: number;
  },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update transform_jobs set status = $2, progress = case when $2 = 'completed' then 100 else progress end, step = null,
       results = coalesce($3::jsonb, results), error = $4::jsonb, finished_at = to_timestamp($5::float8 / 1000)
     where id = $1 and status in ('waiting', 'processing') and runner is not distinct from $6`,
    [
      id,
      end.status,
      end.results ? JSON.stringify(end.results) : null,
      end.error ? JSON.stringify(end.error) : null,
      end.now,
      end.runner,
    ],
  );
  return rowCount === 1;
}

/** Asks whoever works on a job to stop. @returns its state as it was; null when it has ended */
export async function requestCancel(tx: Queryable, id: JobId): Promise<'waiting' | 'processing' | null> {
  const { rows } = await tx.query<{ status: 'waiting' | 'processing' }>(
    `update transform_jobs set cancel_requested = true where id = $1 and status in ('waiting', 'processing') returning status`,
    [id],
  );
  return rows[0]?.status ?? null;
}

/** A content of a file that something is made of. */
export interface SourceRow {
  fileId: FileId;
  version: number;
  projectId: ProjectId;
  tenantId: TenantId | '';
  path: string;
  visibility: 'public' | 'private';
  objectId: ObjectId;
  bucketId: BucketId;
  storageKey: string;
  /** Bytes. */
  size: number;
  contentType: string;
  /** Null: something may be made of it. */
  quarantine: string | null;
}

/** The content of a live file: the present one where `version` is null. Null when there is none. */
export async function findSource(db: Queryable, id: FileId, version: number | null): Promise<SourceRow | null> {
  const { rows } = await db.query<SourceRow>(
    `select f.id as "fileId", v.version, f.project_id as "projectId", f.tenant_id as "tenantId", f.path, f.visibility, o.id as "objectId",
       o.bucket_id as "bucketId", o.storage_key as "storageKey", o.size, o.content_type as "contentType", o.quarantine
     from files f join file_versions v on v.file_id = f.id and v.version = coalesce($2, f.version) join objects o on o.id = v.object_id
     where f.id = $1 and f.deleted_at is null`,
    [id, version],
  );
  return rows[0] ?? null;
}

/** Notes what a file was made of. Of one that is gone nothing is noted. */
export async function insertFileOrigin(
  db: Queryable,
  origin: {
    fileId: string;
    version: number;
    source: Pick<SourceRow, 'fileId' | 'version'>;
    jobId: JobId | null;
    step: object;
    now: number;
  },
): Promise<void> {
  await db.query(
    `insert into file_origins (file_id, version, source_file_id, source_version, job_id, step, created_at)
     select f.id, $2, $3, $4, $5, $6, to_timestamp($7::float8 / 1000) from files f where f.id = $1
     on conflict (file_id, version) do update set source_file_id = excluded.source_file_id, source_version = excluded.source_version,
       job_id = excluded.job_id, step = excluded.step`,
    [
      ...[origin.fileId, origin.version, origin.source.fileId, origin.source.version, origin.jobId],
      ...[JSON.stringify(origin.step), origin.now],
    ],
  );
}
