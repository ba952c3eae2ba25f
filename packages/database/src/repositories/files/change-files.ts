import type { File, Metadata, Visibility } from '@carcosa/contracts';
import type { FileId, ProjectId } from '@carcosa/kernel';
import { fileJson } from '../file-json.ts';
import type { Queryable } from '../queryable.ts';
import { notifyKeys } from './notify-files.ts';

/** Where a file is, kept so until the transaction ends. */
export interface HeldFile {
  id: FileId;
  tenantId: string;
  path: string;
  /** Not in the trash. */
  isLive: boolean;
}

/** The same with what a change can change. */
export interface HeldFileState extends HeldFile {
  version: number;
  visibility: Visibility;
  metadata: Metadata;
  tags: string[];
}

/** Locks those of `ids` that are files of the project, in one order, so that two of these never wait for each other. */
export async function holdFiles(tx: Queryable, projectId: ProjectId, ids: readonly FileId[]): Promise<HeldFileState[]> {
  const { rows } = await tx.query<HeldFileState>(
    `select f.id, f.tenant_id as "tenantId", f.path, f.deleted_at is null as "isLive", f.version, f.visibility, f.metadata, f.tags from files f
     where f.project_id = $1 and f.id = any($2) order by f.id for update`,
    [projectId, ids],
  );
  return rows;
}

/** Those of `paths` that live files other than `except` have, by tenant. */
export async function findTakenPaths(
  db: Queryable,
  question: { projectId: ProjectId; paths: readonly string[]; except: readonly FileId[] },
): Promise<{ tenantId: string; path: string }[]> {
  if (question.paths.length === 0) return [];
  const { rows } = await db.query<{ tenantId: string; path: string }>(
    `select f.tenant_id as "tenantId", f.path from files f
     where f.project_id = $1 and f.path = any($2) and f.deleted_at is null and f.id <> all($3)`,
    [question.projectId, question.paths, question.except],
  );
  return rows;
}

/** What becomes different of one file; what is absent stays. */
export interface FileChange {
  id: FileId;
  /** The new place; `folder` and `name` are its two halves. */
  path?: string | undefined;
  folder?: string | undefined;
  name?: string | undefined;
  visibility?: Visibility | undefined;
  /** Replaces all that was there. */
  metadata?: Metadata | undefined;
  /** Replaces all that were there. */
  tags?: string[] | undefined;
}

export interface ChangeOptions {
  /** Files whose present path another one gets in the same call. */
  givingUp: readonly FileId[];
  /** Milliseconds since the epoch. */
  now: number;
  publicUrl: string;
}

/**
 * Changes files that the transaction holds, each at most once, in one statement; those in the trash come out of it.
 * @throws the database's unique violation of `files_path` when another transaction took a path since it was looked at
 */
export async function changeFiles(
  tx: Queryable,
  changes: readonly FileChange[],
  options: ChangeOptions,
): Promise<Map<string, File>> {
  const { givingUp, now, publicUrl } = options;
  if (changes.length === 0) return new Map();
  // The unique index looks at row after row: who leaves must be gone before who comes. No path of a file begins with "/".
  if (givingUp.length > 0) await tx.query(`update files set path = '/' || id where id = any($1)`, [givingUp]);
  const { rows } = await tx.query<{ file: File }>(CHANGE, [publicUrl, JSON.stringify(changes), now]);
  return new Map(rows.map(({ file }) => [file.id, file]));
}

const CHANGE = `
with changed as (
  update files f set path = coalesce(n.path, f.path), folder = coalesce(n.folder, f.folder), name = coalesce(n.name, f.name),
    visibility = coalesce(n.visibility, f.visibility), metadata = coalesce(n.metadata, f.metadata),
    tags = case when n.tags is null then f.tags else array(select jsonb_array_elements_text(n.tags)) end,
    updated_at = to_timestamp($3::float8 / 1000), deleted_at = null
  from jsonb_to_recordset($2::jsonb) as n(id text, path text, folder text, name text, visibility text, metadata jsonb, tags jsonb)
  where f.id = n.id
  returning f.*
), told as (${notifyKeys('changed')})
select ${fileJson('f', '$1')} as file from changed f join told on true`;
