import type { FileId, ObjectId, ProjectId, TenantId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** Channel on which it is announced that contents have come. */
export const ARRIVALS_CHANNEL = 'carcosa_arrivals';

/** A content that has come, as the present one of a file that is live. */
export interface ArrivalRow {
  fileId: FileId;
  version: number;
  objectId: ObjectId;
  projectId: ProjectId;
  tenantId: TenantId | '';
  path: string;
  contentType: string;
  /** Made by a transform: nothing more is made of it by itself. */
  isResult: boolean;
}

/**
 * The part of a statement's `with` that notes which of the files in `filed` something is to be done with: media and documents, and
 * whatever a project has rules for. Others cost nothing.
 */
export function noteArrivals(): string {
  return `arrived as (
  insert into arrivals (file_id, version, object_id, is_result)
  select f.id, f.version, f.object_id, coalesce(e.door_state->>'by' = 'transform', false)
  from filed f join ended e on e.object_id = f.object_id join projects p on p.id = f.project_id
  where f.content_type = 'application/pdf' or f.content_type like any(array['image/%', 'video/%', 'audio/%'])
    or jsonb_array_length(coalesce(p.settings->'onArrival', '[]')) > 0
  returning pg_notify('${ARRIVALS_CHANNEL}', '{}')
)`;
}

/**
 * Takes contents off the list, in a transaction that makes the jobs for them. Those whose file has gone, or has another content by now, are
 * left out of what is given.
 * @returns what was taken, and whether there may be more
 */
export async function takeArrivals(
  tx: Queryable,
  limit: number,
): Promise<{ arrivals: ArrivalRow[]; hasMore: boolean }> {
  const { rows } = await tx.query<ArrivalRow & { isPresent: boolean }>(
    `with taken as (
       delete from arrivals where position in (select position from arrivals order by position limit $1 for update skip locked)
       returning *
     )
     select t.file_id as "fileId", t.version, t.object_id as "objectId", t.is_result as "isResult", f.project_id as "projectId",
       f.tenant_id as "tenantId", f.path, f.content_type as "contentType", f.id is not null as "isPresent"
     from taken t left join files f on f.id = t.file_id and f.object_id = t.object_id and f.deleted_at is null order by t.position`,
    [limit],
  );
  return { arrivals: rows.filter(({ isPresent }) => isPresent), hasMore: rows.length === limit };
}
