import type { File } from '@carcosa/contracts';
import type { FileId, ProjectId } from '@carcosa/kernel';
import { fileJson } from '../file-json.ts';
import type { Queryable } from '../queryable.ts';
import { notifyKeys } from './notify-files.ts';

export interface TrashOptions {
  projectId: ProjectId;
  /** Milliseconds since the epoch. */
  now: number;
  publicUrl: string;
}

/** Moves live files to the trash, all in one statement; the others are left out. Call it in a transaction that holds them. */
export async function trashFiles(
  tx: Queryable,
  ids: readonly FileId[],
  options: TrashOptions,
): Promise<Map<string, File>> {
  const { projectId, now, publicUrl } = options;
  const { rows } = await tx.query<{ file: File }>(TRASH, [publicUrl, projectId, ids, now]);
  return new Map(rows.map(({ file }) => [file.id, file]));
}

const TRASH = `
with changed as (
  update files f set deleted_at = to_timestamp($4::float8 / 1000), updated_at = to_timestamp($4::float8 / 1000)
  where f.project_id = $2 and f.id = any($3) and f.deleted_at is null
  returning f.*
), told as (${notifyKeys('changed')})
select ${fileJson('f', '$1')} as file from changed f join told on true`;
