import type { FileId, ProjectId, UploadId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** Whose files go: all of a project, or of one tenant of it. */
export interface RemovalScope {
  projectId: ProjectId;
  tenantId: string | null;
}

/** Some files that are to be removed, locked until the transaction ends. */
export async function removableFiles(tx: Queryable, scope: RemovalScope, limit: number): Promise<FileId[]> {
  const { rows } = await tx.query<{ id: FileId }>(
    `select id from files where project_id = $1 and ($2::text is null or tenant_id = $2) order by id limit $3 for update`,
    [scope.projectId, scope.tenantId, limit],
  );
  return rows.map(({ id }) => id);
}

/** Some open uploads that are to be ended. */
export async function removableUploads(db: Queryable, scope: RemovalScope, limit: number): Promise<UploadId[]> {
  const { rows } = await db.query<{ id: UploadId }>(
    `select id from uploads where project_id = $1 and status = 'open' and ($2::text is null or tenant_id = $2) limit $3`,
    [scope.projectId, scope.tenantId, limit],
  );
  return rows.map(({ id }) => id);
}
