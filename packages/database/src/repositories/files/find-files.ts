import type { File } from '@carcosa/contracts';
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
