import type { File, FileVersion } from '@carcosa/contracts';
import type { FileId, ProjectId } from '@carcosa/kernel';
import { fileJson } from '../file-json.ts';
import type { Queryable } from '../queryable.ts';
import { ledgerEntry } from '../usage/usage-ledger.ts';
import { notifyKeys } from './notify-files.ts';

export interface VersionListing {
  projectId: ProjectId;
  id: FileId;
  limit: number;
  /** Only versions below this one. */
  before?: number | undefined;
}

/** The versions of a file, live or in the trash, newest first, at most `limit` + 1; null when the project has no such file. */
export async function listFileVersions(
  db: Queryable,
  listing: VersionListing,
  publicUrl: string,
): Promise<FileVersion[] | null> {
  const { projectId, id, limit, before } = listing;
  const { rows } = await db.query<{ versions: FileVersion[] }>({
    name: 'list_file_versions',
    text: LIST,
    values: [publicUrl, projectId, id, before ?? null, limit + 1],
  });
  return rows[0]?.versions ?? null;
}

const LIST = `
select coalesce((
  select json_agg(json_build_object('version', v.version, 'current', v.version = f.version, 'size', o.size,
      'contentType', o.content_type, 'sha256', encode(o.sha256, 'hex'), 'url', $1::text || '/f/' || f.key || '?v=' || v.version,
      'createdBy', v.created_by, 'createdAt', to_char(v.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    order by v.version desc)
  from (select * from file_versions v where v.file_id = f.id and ($4::int is null or v.version < $4)
    order by v.version desc limit $5) v
  join objects o on o.id = v.object_id
), '[]') as versions
from files f where f.id = $3 and f.project_id = $2`;

export interface VersionRestore {
  projectId: ProjectId;
  id: FileId;
  version: number;
  /** Who restores it. */
  by: string;
  /** Milliseconds since the epoch. */
  now: number;
}

/**
 * Makes the content of an earlier version the present one of a live file, as a new version. Call it in a transaction that has
 * locked the file. The present version itself is left as it is. Null when there is no such version.
 */
export async function restoreFileVersion(
  db: Queryable,
  restore: VersionRestore,
  publicUrl: string,
): Promise<File | null> {
  const { projectId, id, version, by, now } = restore;
  const { rows } = await db.query<{ file: File }>(RESTORE, [publicUrl, projectId, id, version, by, now]);
  return rows[0]?.file ?? null;
}

const RESTORE = `
with chosen as (
  select o.* from file_versions v join objects o on o.id = v.object_id where v.file_id = $3 and v.version = $4
), changed as (
  update files f set version = f.version + 1, object_id = o.id, bucket_id = o.bucket_id, size = o.size, content_type = o.content_type,
    declared_content_type = o.declared_content_type, sha256 = o.sha256, md5 = o.md5, updated_at = to_timestamp($6::float8 / 1000)
  from chosen o
  where f.id = $3 and f.project_id = $2 and f.deleted_at is null and f.version <> $4
  returning f.*
), versioned as (
  insert into file_versions (file_id, version, object_id, created_by, created_at)
  select id, version, object_id, $5, updated_at from changed
), metered as (
  ${ledgerEntry({ from: '(select f.*, $5::text as created_by, f.updated_at as at from changed f)', sign: 1, isUpload: false })}
), told as (${notifyKeys('changed')})
select ${fileJson('f', '$1')} as file from changed f join told on true
union all
select ${fileJson('f', '$1')} from files f where f.id = $3 and f.project_id = $2 and f.deleted_at is null and f.version = $4`;
