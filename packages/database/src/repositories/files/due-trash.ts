import type { FileId, ProjectId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

export interface DueFile {
  id: FileId;
  projectId: ProjectId;
  /** "" for none. */
  tenantId: string;
  path: string;
  version: number;
  /** Bytes. */
  size: number;
}

/**
 * Locks up to `limit` files that have been in the trash for longer than their project keeps them, oldest first, past those that
 * another transaction holds. Call it in the transaction that removes them: a file that is restored meanwhile is not among them.
 * @param retentionDays for projects that do not say
 */
export async function lockDueTrash(
  db: Queryable,
  due: { now: number; retentionDays: number; limit: number },
): Promise<DueFile[]> {
  const { rows } = await db.query<DueFile>(
    `with project as (
       select p.id, to_timestamp($1::float8 / 1000)
         - make_interval(days => coalesce((p.settings->>'trashRetentionDays')::int, $2)) as kept_since
       from projects p
     )
     select f.id, f.project_id as "projectId", f.tenant_id as "tenantId", f.path, f.version, f.size from project p join files f on f.project_id = p.id and f.deleted_at is not null and f.deleted_at <= p.kept_since
     order by f.deleted_at limit $3 for update of f skip locked`,
    [due.now, due.retentionDays, due.limit],
  );
  return rows;
}
