import type { FileId, ProjectId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** The part of a project whose files count. */
export interface SignedFileScope {
  projectId: ProjectId;
  /** Null: all. */
  tenantId: string | null;
  /** "": all. */
  pathPrefix: string;
}

const IN_SCOPE = `f.project_id = $1 and ($2::text is null or f.tenant_id = $2)
  and ($3::text = '' or starts_with(f.path, $3::text || '/'))`;
const scopeOf = ({ projectId, tenantId, pathPrefix }: SignedFileScope) => [projectId, tenantId, pathPrefix];

/** A file by the names that apps know it by. */
export interface NamedFile {
  id: FileId;
  key: string;
  customId: string | null;
  path: string;
  name: string;
  visibility: 'public' | 'private';
  size: number;
  isLive: boolean;
}

const NAMED = `f.id, f.key, s.custom_id as "customId", f.path, coalesce(s.name, f.name) as name, f.visibility, f.size, f.deleted_at is null as "isLive"`;
const FROM = 'files f left join signed_uploads s on s.file_id = f.id';

/** Files by their keys or by the ids that an app gave them, live or in the trash, in no order. Unknown names are left out. */
export async function findNamedFiles(
  db: Queryable,
  scope: SignedFileScope,
  names: { keys: readonly string[] } | { customIds: readonly string[] },
): Promise<NamedFile[]> {
  const [column, values] = 'keys' in names ? ['f.key', names.keys] : ['s.custom_id', names.customIds];
  const { rows } = await db.query<NamedFile>(`select ${NAMED} from ${FROM} where ${IN_SCOPE} and ${column} = any($4)`, [
    ...scopeOf(scope),
    [...values],
  ]);
  return rows;
}

/** Whose file has that key, on the whole server: keys are addresses. */
export async function findKeyOwner(
  db: Queryable,
  key: string,
): Promise<{ id: FileId; projectId: ProjectId; tenantId: string; path: string; isLive: boolean } | null> {
  const { rows } = await db.query<{
    id: FileId;
    projectId: ProjectId;
    tenantId: string;
    path: string;
    isLive: boolean;
  }>(
    `select id, project_id as "projectId", tenant_id as "tenantId", path, deleted_at is null as "isLive" from files where key = $1`,
    [key],
  );
  return rows[0] ?? null;
}

export interface ListedFile {
  id: string;
  customId: string | null;
  key: string;
  name: string;
  size: number;
  state: 'uploaded' | 'uploading' | 'failed' | 'trashed';
  /** Milliseconds since the epoch. */
  uploadedAt: number;
}

/** Files of a project, and uploads that have none yet: newest first, one more than `limit`. */
export async function listSignedFiles(
  db: Queryable,
  scope: SignedFileScope,
  page: { limit: number; offset: number },
): Promise<ListedFile[]> {
  // Who is confined to a part sees files alone: an upload that is under way has no place yet.
  const { rows } = await db.query<ListedFile>(
    `select * from (
       select f.id, s.custom_id as "customId", f.key, coalesce(s.name, f.name) as name, f.size,
         case when f.deleted_at is null then 'uploaded' else 'trashed' end as state,
         (extract(epoch from f.created_at) * 1000)::float8 as "uploadedAt"
       from ${FROM} where ${IN_SCOPE}
       union all
       select 'upload:' || s.key, s.custom_id, s.key, s.name, s.size, case s.state when 'failed' then 'failed' else 'uploading' end,
         (extract(epoch from s.created_at) * 1000)::float8
       from signed_uploads s where s.project_id = $1 and $2::text is null and $3::text = '' and s.file_id is null and s.upload_id is not null
     ) listed order by "uploadedAt" desc, id desc limit $4 offset $5`,
    [...scopeOf(scope), page.limit + 1, page.offset],
  );
  return rows;
}

/** What is stored: live files, and in the trash too. */
export async function sumFiles(db: Queryable, scope: SignedFileScope): Promise<{ files: number; bytes: number }> {
  const { rows } = await db.query<{ files: number; bytes: number }>(
    `select count(*)::float8 as files, coalesce(sum(f.size), 0)::float8 as bytes from files f where ${IN_SCOPE} and f.deleted_at is null`,
    scopeOf(scope),
  );
  return rows[0] ?? { files: 0, bytes: 0 };
}

/** Gives a file another name or another id of the app's own. The file's path is changed elsewhere. */
export async function renameSignedFile(
  tx: Queryable,
  file: { projectId: ProjectId; id: FileId; key: string },
  change: { name?: string | undefined; customId?: string | undefined },
  now: Date,
): Promise<void> {
  await tx.query(
    `insert into signed_uploads as s (project_id, key, state, file_id, custom_id, name, created_at, updated_at)
     values ($1, $2, 'uploaded', $3, $4, $5, $6, $6)
     on conflict (project_id, key) do update set custom_id = coalesce(excluded.custom_id, s.custom_id),
       name = coalesce(excluded.name, s.name), file_id = coalesce(s.file_id, excluded.file_id)`,
    [file.projectId, file.key, file.id, change.customId ?? null, change.name ?? null, now],
  );
}
