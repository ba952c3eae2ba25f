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
  /** Null: it may be looked into. */
  quarantine: string | null;
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
    or e.quarantine is not null or jsonb_array_length(coalesce(p.settings->'onArrival', '[]')) > 0
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
       f.tenant_id as "tenantId", f.path, f.content_type as "contentType", o.quarantine, f.id is not null as "isPresent"
     from taken t left join files f on f.id = t.file_id and f.object_id = t.object_id and f.deleted_at is null left join objects o on o.id = f.object_id order by t.position`,
    [limit],
  );
  return { arrivals: rows.filter(({ isPresent }) => isPresent), hasMore: rows.length === limit };
}

/** A content that a scan is wanted of, or that was scanned. */
export type Quarantine = 'pending' | 'infected' | 'unscannable' | 'rejected';

/** Contents that wait for a scan have come: what is to be done with them is done again from the start. */
export async function arriveAgain(tx: Queryable, id: ObjectId): Promise<void> {
  await tx.query(
    `insert into arrivals (file_id, version, object_id, is_result)
     select f.id, f.version, f.object_id, exists (select from file_origins g where g.file_id = f.id and g.version = f.version)
     from files f where f.object_id = $1 and f.deleted_at is null returning pg_notify($2, '{}')`,
    [id, ARRIVALS_CHANNEL],
  );
}

/**
 * Changes whether a content is served, and tells every node.
 * @param from only where it stands so now; undefined: wherever it stands
 * @returns whether it was changed
 */
export async function setQuarantine(
  tx: Queryable,
  id: ObjectId,
  to: { state: Quarantine | null; reason: string | null },
  from?: Quarantine,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `with changed as (
       update objects set quarantine = $2, quarantine_reason = $3 where id = $1 and ($4::text is null or quarantine = $4) returning id
     )
     select changed.id, (select pg_notify('carcosa_files', json_build_object('keys', json_agg(f.key))::text) from file_versions v
       join files f on f.id = v.file_id where v.object_id = changed.id having count(*) > 0) as told from changed`,
    [id, to.state, to.reason, from ?? null],
  );
  return rowCount === 1;
}
