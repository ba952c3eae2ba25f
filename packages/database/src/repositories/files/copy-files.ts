import type { File } from '@carcosa/contracts';
import type { FileId, ProjectId } from '@carcosa/kernel';
import { fileJson } from '../file-json.ts';
import type { Queryable } from '../queryable.ts';
import { tenantStays } from '../uploads/file-ended.ts';
import { ledgerEntry } from '../usage/usage-ledger.ts';

/** One file to be made of another's present content. */
export interface FileCopy {
  /** The file that is copied. */
  id: FileId;
  path: string;
  folder: string;
  name: string;
  /** Of the copy. */
  newId: FileId;
  newKey: string;
}

export interface CopyOptions {
  projectId: ProjectId;
  /** Who copies: it counts as the uploader. */
  by: string;
  /** Milliseconds since the epoch. */
  now: number;
  publicUrl: string;
}

export interface Copied {
  /** The copies by their new ids. */
  files: Map<string, File>;
  /** New ids of copies whose source is there, but whose path another file has, or an earlier copy of the same call. */
  blocked: Set<string>;
}

/** Copies live files in one statement; no bytes move, the copies share the object. */
export async function copyFiles(db: Queryable, copies: readonly FileCopy[], options: CopyOptions): Promise<Copied> {
  const { projectId, by, now, publicUrl } = options;
  const input = copies.map((copy, position) => ({ ...copy, position }));
  const { rows } = await db.query<{ id: string; file: File | null }>(COPY, [
    publicUrl,
    projectId,
    JSON.stringify(input),
    by,
    now,
  ]);
  return {
    files: new Map(rows.flatMap(({ id, file }) => (file ? [[id, file]] : []))),
    blocked: new Set(rows.flatMap(({ id, file }) => (file ? [] : [id]))),
  };
}

const COPY = `
with input as (
  select * from jsonb_to_recordset($3::jsonb) as n(position int, id text, path text, folder text, name text, "newId" text, "newKey" text)
), source as (
  select n.position, n.path as new_path, n.folder as new_folder, n.name as new_name, n."newId" as new_id, n."newKey" as new_key, f.*
  from input n join files f on f.id = n.id and f.project_id = $2 and f.deleted_at is null and ${tenantStays('f.tenant_id')}
), held as (
  -- Waits for a purge that holds the object: when that has removed it, it is missing here and nothing is copied. The other way
  -- round the purge waits for us, and finds the new reference.
  select o.id from objects o where o.id in (select object_id from source) order by o.id for key share
), changed as (
  insert into files (id, project_id, tenant_id, key, path, folder, name, visibility, metadata, tags, uploaded_by, version, object_id,
    bucket_id, size, content_type, declared_content_type, sha256, md5, created_at, updated_at)
  select s.new_id, s.project_id, s.tenant_id, s.new_key, s.new_path, s.new_folder, s.new_name, s.visibility, s.metadata, s.tags, $4, 1,
    s.object_id, s.bucket_id, s.size, s.content_type, s.declared_content_type, s.sha256, s.md5,
    to_timestamp($5::float8 / 1000), to_timestamp($5::float8 / 1000)
  from source s join held on held.id = s.object_id order by s.new_path, s.position
  on conflict (project_id, tenant_id, path) where deleted_at is null do nothing
  returning *
), versioned as (
  insert into file_versions (file_id, version, object_id, created_by, created_at)
  select id, version, object_id, $4, created_at from changed
), metered as (
  ${ledgerEntry({ from: '(select f.*, f.uploaded_by as created_by, f.created_at as at from changed f)', sign: 1, isUpload: false })}
)
select s.new_id as id, case when f.id is not null then ${fileJson('f', '$1')} end as file
from source s join held on held.id = s.object_id left join changed f on f.id = s.new_id`;
