import { type File, MAX_PATH_BYTES, type Metadata, type Visibility } from '@carcosa/contracts';
import type { FileId, ProjectId } from '@carcosa/kernel';
import { fileJson } from '../file-json.ts';
import type { Queryable } from '../queryable.ts';
import { notifyKeys } from './notify-files.ts';

/** What becomes different of one file; what is absent stays. */
export interface FileChange {
  id: FileId;
  /** The new place; `folder` and `name` are its two halves. */
  path?: string | undefined;
  folder?: string | undefined;
  name?: string | undefined;
  /** In place of those three: another name in the folder where it is. */
  rename?: string | undefined;
  visibility?: Visibility | undefined;
  /** Replaces all that was there. */
  metadata?: Metadata | undefined;
  /** Replaces all that were there. */
  tags?: string[] | undefined;
}

export interface ChangeOptions {
  projectId: ProjectId;
  /** `live`: changes files that are there. `trashed`: takes files out of the trash, each to its path or a new one. */
  from: 'live' | 'trashed';
  /** Milliseconds since the epoch. */
  now: number;
  publicUrl: string;
}

export interface Changed {
  /** The changed files, by the position of their change. */
  files: Map<number, File>;
  /** The paths that changes want by their position, where the file is there but the path is not free (or, after a renaming, too long). */
  blocked: Map<number, string>;
}

/**
 * Changes many files in one statement: those whose path is free, one change a file and one file a path. Who is left over may
 * succeed in a second call, when the first has moved something out of the way.
 * @throws the database's unique violation of `files_path` when another transaction took a path in the same moment
 */
export async function changeFiles(db: Queryable, changes: readonly FileChange[], options: ChangeOptions): Promise<Changed> {
  const { projectId, from, now, publicUrl } = options;
  const input = changes.map((change, position) => ({ ...change, position }));
  const { rows } = await db.query<{ position: number; path: string; file: File | null }>(CHANGE[from], [publicUrl, projectId, JSON.stringify(input), now]);
  return {
    files: new Map(rows.flatMap(({ position, file }) => (file ? [[position, file]] : []))),
    blocked: new Map(rows.flatMap(({ position, path, file }) => (file ? [] : [[position, path]]))),
  };
}

const changeStatement = (trash: 'is null' | 'is not null') => `
with input as (
  select * from jsonb_to_recordset($3::jsonb) as n(position int, id text, path text, folder text, name text, rename text,
    visibility text, metadata jsonb, tags jsonb)
), held as (
  -- In one order, so that two of these never wait for each other.
  select f.id, f.tenant_id, f.path, f.folder, f.name from files f
  where f.project_id = $2 and f.id in (select id from input) and f.deleted_at ${trash} order by f.id for update
), wanted as (
  select n.position, held.id, held.tenant_id,
    coalesce(n.path, case held.folder when '' then n.rename else held.folder || '/' || n.rename end, held.path) as path,
    coalesce(n.folder, held.folder) as folder, coalesce(n.name, n.rename, held.name) as name, n.visibility, n.metadata, n.tags
  from input n join held on held.id = n.id
), free as (
  select w.*, row_number() over (partition by w.id order by w.position) as nth_of_file,
    row_number() over (partition by w.tenant_id, w.path order by w.position) as nth_of_path
  from wanted w
  where octet_length(w.path) <= ${MAX_PATH_BYTES}
    and not exists (select from files o where o.project_id = $2 and o.path = w.path and o.tenant_id = w.tenant_id
      and o.deleted_at is null and o.id <> w.id)
), changed as (
  update files f set path = w.path, folder = w.folder, name = w.name, visibility = coalesce(w.visibility, f.visibility),
    metadata = coalesce(w.metadata, f.metadata),
    tags = case when w.tags is null then f.tags else array(select jsonb_array_elements_text(w.tags)) end,
    updated_at = to_timestamp($4::float8 / 1000), deleted_at = null
  from free w where f.id = w.id and w.nth_of_file = 1 and w.nth_of_path = 1
  returning w.position, f.*
), told as (${notifyKeys('changed')})
select w.position, w.path, case when f.id is not null then ${fileJson('f', '$1')} end as file
from wanted w left join changed f on f.position = w.position join told on true`;

const CHANGE = { live: changeStatement('is null'), trashed: changeStatement('is not null') };
