import type { File } from '@carcosa/contracts';
import type { FileId, ObjectId, ProjectId } from '@carcosa/kernel';
import { fileJson } from '../file-json.ts';
import type { Queryable } from '../queryable.ts';
import { ledgerEntry } from '../usage/usage-ledger.ts';
import { notifyKeys } from './notify-files.ts';

export interface PurgeOptions {
  projectId: ProjectId;
  /** Milliseconds since the epoch; from then on the bytes may be removed. */
  now: number;
  publicUrl: string;
}

/**
 * Removes files with all of their versions, live or in the trash, and hands the bytes that nothing refers to any more over to
 * `object_deletions`. Call it in a transaction: four statements, however many files.
 * @returns the files as they were
 */
export async function purgeFiles(
  db: Queryable,
  ids: readonly FileId[],
  options: PurgeOptions,
): Promise<Map<string, File>> {
  const { projectId, now, publicUrl } = options;
  const { rows: held } = await db.query<{ id: FileId; file: File }>(
    `select f.id, ${fileJson('f', '$1')} as file from files f where f.project_id = $2 and f.id = any($3) order by f.id for update`,
    [publicUrl, projectId, ids],
  );
  if (held.length > 0)
    await removeFiles(
      db,
      held.map(({ id }) => id),
      now,
    );
  return new Map(held.map(({ id, file }) => [id, file]));
}

/** Removes files whose rows the transaction has locked. */
export async function removeFiles(db: Queryable, ids: readonly FileId[], now: number): Promise<void> {
  const { rows } = await db.query<{ objectIds: ObjectId[] | null }>(REMOVE, [ids, now]);
  const objectIds = rows[0]?.objectIds ?? [];
  // Nobody can begin to refer to an object from here on (a foreign key needs a lock that this one excludes), and whoever did so
  // before has committed, so that the next statement sees it.
  await db.query('select from objects where id = any($1) order by id for update', [objectIds]);
  await db.query(RELEASE, [objectIds, now]);
}

const REMOVE = `
with counted as (
  select s.scope_id, count(*) as files, sum(f.bytes)::bigint as bytes
  from (
    select project_id, tenant_id,
      (select sum(o.size) from file_versions v join objects o on o.id = v.object_id where v.file_id = files.id) as bytes
    from files where id = any($1) and exists (select from quota_counters)
  ) f join projects p on p.id = f.project_id
  cross join lateral (values (p.organization_id), (p.id), (f.tenant_id)) s (scope_id)
  group by s.scope_id
), held as (
  -- In the order in which everybody locks counters: see migration 0005.
  select quota_hold(array_agg(scope_id)) from counted
), uncounted as (
  update quota_counters c set used = c.used - case c.metric when 'files' then n.files else n.bytes end
  from counted n, held where c.scope_id = n.scope_id and c.metric in ('files', 'bytes')
), unversioned as (
  delete from file_versions where file_id = any($1) returning file_id, object_id, created_by
), metered as (
  ${ledgerEntry({
    from: `(select f.project_id, f.tenant_id, o.bucket_id, v.created_by, o.size, to_timestamp($2::float8 / 1000) as at
      from unversioned v join files f on f.id = v.file_id join objects o on o.id = v.object_id)`,
    sign: -1,
    isUpload: false,
  })}
), changed as (
  delete from files where id = any($1) returning key, object_id
), told as (${notifyKeys('changed')})
select (select array_agg(object_id) from (select object_id from unversioned union select object_id from changed) dropped) as "objectIds"
from told`;

const RELEASE = `
with released as (
  delete from objects o where o.id = any($1)
    and not exists (select from files f where f.object_id = o.id)
    and not exists (select from file_versions v where v.object_id = o.id)
  returning o.id, o.bucket_id, o.storage_key, o.size
)
insert into object_deletions (id, bucket_id, storage_key, size, due_at)
select id, bucket_id, storage_key, size, to_timestamp($2::float8 / 1000) from released`;
