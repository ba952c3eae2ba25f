import type { File, FileDetail } from '@carcosa/contracts';
import type { FileId, ProjectId } from '@carcosa/kernel';
import { fileJson } from '../file-json.ts';
import type { Queryable } from '../queryable.ts';

/** A file of the project, live or in the trash; null when there is none. */
export async function findFile(
  db: Queryable,
  projectId: ProjectId,
  id: FileId,
  publicUrl: string,
): Promise<File | null> {
  const { rows } = await db.query<{ file: File }>({
    name: 'find_file',
    text: `select ${fileJson('f', '$1')} as file from files f where f.id = $3 and f.project_id = $2`,
    values: [publicUrl, projectId, id],
  });
  return rows[0]?.file ?? null;
}

/** As {@link findFile}, with what is known of its content and what it was made of. */
export async function findFileDetail(
  db: Queryable,
  projectId: ProjectId,
  id: FileId,
  publicUrl: string,
): Promise<FileDetail | null> {
  const { rows } = await db.query<Omit<FileDetail, keyof File> & { file: File }>({
    name: 'find_file_detail',
    text: `select ${fileJson('f', '$1')} as file, x.facts, ${madeOf('g')} as "madeOf",
        case when o.quarantine is not null then json_build_object('state', o.quarantine, 'reason', o.quarantine_reason) end as quarantine
      from files f join objects o on o.id = f.object_id
      left join file_facts x on x.object_id = f.object_id
      left join file_origins g on g.file_id = f.id and g.version = f.version
      where f.id = $3 and f.project_id = $2`,
    values: [publicUrl, projectId, id],
  });
  const [found] = rows;
  if (!found) return null;
  const { file, ...known } = found;
  return { ...file, ...known };
}

/** What a file was made of, from the alias of a joined `file_origins`. */
const madeOf = (
  g: string,
): string => `case when ${g}.file_id is not null then json_build_object('fileId', ${g}.source_file_id,
  'version', ${g}.source_version, 'jobId', ${g}.job_id, 'step', ${g}.step) end`;

/** Those of `ids` that are files of the project, live or in the trash. */
export async function findFiles(
  db: Queryable,
  projectId: ProjectId,
  ids: readonly FileId[],
  publicUrl: string,
): Promise<Map<string, File>> {
  if (ids.length === 0) return new Map();
  const { rows } = await db.query<{ file: File }>(
    `select ${fileJson('f', '$1')} as file from files f where f.id = any($3) and f.project_id = $2`,
    [publicUrl, projectId, ids],
  );
  return new Map(rows.map(({ file }) => [file.id, file]));
}
