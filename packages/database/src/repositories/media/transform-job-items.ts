import type { FileId } from '@carcosa/kernel';
import { type FileFilter, filterConditions } from '../files/file-filter.ts';
import type { Queryable } from '../queryable.ts';
import type { JobId } from './transform-jobs.ts';

/** One file of a batch. Instants in milliseconds since the epoch. */
export interface TransformJobItemRow {
  position: number;
  fileId: FileId;
  version: number;
  path: string;
  status: 'waiting' | 'completed' | 'failed';
  results: unknown[];
  error: { code: string; message: string } | null;
  finishedAt: number | null;
}

export interface ItemCounts {
  total: number;
  completed: number;
  failed: number;
}

const COLUMNS = `position, file_id as "fileId", version, path, status, results, error,
  (extract(epoch from finished_at) * 1000)::float8 as "finishedAt"`;

/**
 * Writes down the files of a batch, as they are now, in the order of their paths; results of transforms are not among them.
 * @param ids only these; undefined: all that the filter lets through
 * @returns how many there are: one more than `limit` where there are too many
 */
export async function insertJobItems(
  tx: Queryable,
  jobId: JobId,
  { filter, ids, limit }: { filter: FileFilter; ids: readonly string[] | undefined; limit: number },
): Promise<number> {
  const values: unknown[] = [jobId];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const conditions = [...filterConditions(filter, bind), ...(ids ? [`f.id = any(${bind(ids)})`] : [])];
  const { rowCount } = await tx.query(
    `insert into transform_job_items (job_id, position, file_id, version, path, status)
     select $1, row_number() over (order by f.path, f.tenant_id), f.id, f.version, f.path, 'waiting' from files f
     where ${conditions.join(' and ')} and not exists (select from file_origins g where g.file_id = f.id and g.version = f.version)
     order by f.path, f.tenant_id limit ${limit + 1}`,
    values,
  );
  return rowCount ?? 0;
}

/** The next file of a batch that nothing was made of yet. */
export async function nextJobItem(db: Queryable, jobId: JobId): Promise<TransformJobItemRow | null> {
  const { rows } = await db.query<TransformJobItemRow>(
    `select ${COLUMNS} from transform_job_items where job_id = $1 and status = 'waiting' order by position limit 1`,
    [jobId],
  );
  return rows[0] ?? null;
}

/** Keeps what became of a file of a batch. */
export async function endJobItem(
  db: Queryable,
  jobId: JobId,
  position: number,
  end: {
    status: 'completed' | 'failed';
    results: readonly unknown[];
    error: { code: string; message: string } | null;
    now: number;
  },
): Promise<void> {
  await db.query(
    `update transform_job_items set status = $3, results = $4, error = $5, finished_at = to_timestamp($6::float8 / 1000)
     where job_id = $1 and position = $2 and status = 'waiting'`,
    [jobId, position, end.status, JSON.stringify(end.results), end.error ? JSON.stringify(end.error) : null, end.now],
  );
}

/** What has been made so far of a file of a batch that is not done. */
export async function noteJobItem(
  db: Queryable,
  jobId: JobId,
  position: number,
  results: readonly unknown[],
): Promise<void> {
  await db.query('update transform_job_items set results = $3 where job_id = $1 and position = $2', [
    ...[jobId, position, JSON.stringify(results)],
  ]);
}

export async function countJobItems(db: Queryable, jobId: JobId): Promise<ItemCounts> {
  const { rows } = await db.query<ItemCounts>(
    `select count(*)::int as total, (count(*) filter (where status = 'completed'))::int as completed,
       (count(*) filter (where status = 'failed'))::int as failed from transform_job_items where job_id = $1`,
    [jobId],
  );
  return rows[0] ?? { total: 0, completed: 0, failed: 0 };
}

/** In the order of their places, one more than `limit`. */
export async function listJobItems(
  db: Queryable,
  jobId: JobId,
  { status, limit, after }: { status: string | undefined; limit: number; after: number | undefined },
): Promise<TransformJobItemRow[]> {
  const { rows } = await db.query<TransformJobItemRow>(
    `select ${COLUMNS} from transform_job_items where job_id = $1 and ($2::text is null or status = $2) and position > $3
     order by position limit $4`,
    [jobId, status ?? null, after ?? 0, limit + 1],
  );
  return rows;
}
