import type { Queryable } from '../queryable.ts';

/** Of the files with these keys, those that one transform job has made together with the given version of another file. */
export async function findMadeTogether(
  db: Queryable,
  { key, version, keys }: { key: string; version: number; keys: readonly string[] },
): Promise<Set<string>> {
  if (keys.length === 0) return new Set();
  const { rows } = await db.query<{ key: string }>(
    `select other.key from files f join file_origins g on g.file_id = f.id and g.version = $2
     join files other on other.key = any($3) and other.project_id = f.project_id and other.deleted_at is null
     join file_origins h on h.file_id = other.id and h.job_id = g.job_id
     where f.key = $1 and f.deleted_at is null`,
    [key, version, keys],
  );
  return new Set(rows.map((row) => row.key));
}
