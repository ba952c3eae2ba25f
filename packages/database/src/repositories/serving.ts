import type { RateLimitOverrides } from '@carcosa/contracts';
import type { BucketId, FileId, ObjectId, OrganizationId, ProjectId, TenantId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

/** All that is needed to serve one content of a file, and to decide whether it may be. */
export interface ServedFileRow {
  id: FileId;
  key: string;
  projectId: ProjectId;
  path: string;
  name: string;
  visibility: 'public' | 'private';
  version: number;
  objectId: ObjectId;
  bucketId: BucketId;
  storageKey: string;
  /** Bytes. */
  size: number;
  contentType: string;
  declaredContentType: string | null;
  /** Since when the address has had this content: restoring an old version is a change of today. */
  lastModified: Date;
  delivery: 'stream' | 'redirect';
  signingKeyVersion: number;
  /** The project's own; null: it has none. */
  rateLimits: RateLimitOverrides | null;
  tenantId: TenantId | '';
  organizationId: OrganizationId;
  /** Bytes a month that may go out, as they are set for each; null: not limited. */
  organizationEgress: number | null;
  projectEgress: number | null;
  tenantEgress: number | null;
  /** Why it is not served; null: it is. */
  quarantine: string | null;
  quarantineReason: string | null;
  /** As whoever changed the metadata wrote it: anything at all. */
  focalPoint: unknown;
}

const COLUMNS = `f.id, f.key, f.project_id as "projectId", f.path, f.name, f.visibility, v.version, o.id as "objectId", o.bucket_id as "bucketId",
  o.storage_key as "storageKey", o.size, o.content_type as "contentType", o.declared_content_type as "declaredContentType",
  v.created_at as "lastModified", coalesce(p.settings->>'delivery', 'stream') as delivery, p.signing_key_version as "signingKeyVersion",
  p.settings->'rateLimits' as "rateLimits", f.tenant_id as "tenantId", g.id as "organizationId",
  (coalesce(n.quotas, '{}') || g.quotas)->'egressBytes' as "organizationEgress", p.quotas->'egressBytes' as "projectEgress",
  t.quotas->'egressBytes' as "tenantEgress", f.metadata->'focalPoint' as "focalPoint", o.quarantine,
  o.quarantine_reason as "quarantineReason"`;

const JOINS = `join objects o on o.id = v.object_id join projects p on p.id = f.project_id and p.deleted_at is null
  join organizations g on g.id = p.organization_id left join plans n on n.name = g.plan left join tenants t on t.id = nullif(f.tenant_id, '')
  where f.key = $1 and f.deleted_at is null`;

/** The present content of the file with that key, or its content of `version`. Null when there is none, or it is in the trash. */
export async function findServedFile(
  db: Queryable,
  key: string,
  version: number | null,
): Promise<ServedFileRow | null> {
  const { rows } = await db.query<ServedFileRow>(
    version === null
      ? {
          name: 'find-served-file',
          text: `select ${COLUMNS} from files f join file_versions v on v.file_id = f.id and v.version = f.version ${JOINS}`,
          values: [key],
        }
      : {
          name: 'find-served-version',
          text: `select ${COLUMNS} from files f join file_versions v on v.file_id = f.id and v.version = $2 ${JOINS}`,
          values: [key, version],
        },
  );
  return rows[0] ?? null;
}

export interface FileAddressRow {
  key: string;
  projectId: ProjectId;
  tenantId: string;
  path: string;
}

/** Where the file with that id is served, and whose it is. Null when there is none, or it is in the trash. */
export async function findFileKey(db: Queryable, id: FileId): Promise<FileAddressRow | null> {
  const { rows } = await db.query<FileAddressRow>({
    name: 'find-file-key',
    text: `select key, project_id as "projectId", tenant_id as "tenantId", path from files where id = $1 and deleted_at is null`,
    values: [id],
  });
  return rows[0] ?? null;
}

/** The key of the live file at that path of the project: of its own files where `tenantId` is "". Null when there is none. */
export async function findKeyAt(
  db: Queryable,
  place: { projectId: ProjectId; tenantId: string; path: string },
): Promise<string | null> {
  const { rows } = await db.query<{ key: string }>({
    name: 'find-key-at',
    text: 'select key from files where project_id = $1 and path = $2 and tenant_id = $3 and deleted_at is null',
    values: [place.projectId, place.path, place.tenantId],
  });
  return rows[0]?.key ?? null;
}

/** Channel on which `{projectId, objectIds}` is announced when results of transforms are to go; without `objectIds`, all of the project. */
export const TRANSFORMS_CHANNEL = 'carcosa_transforms';
/** Contents of one file whose results are purged together; what is older is not asked for any more. */
const MAX_PURGED = 100;

/** Has every node remove the results that it keeps: of the newest contents of a file, or of the whole project. */
export async function announcePurge(
  tx: Queryable,
  what: { projectId: ProjectId; fileId: FileId | null },
): Promise<void> {
  const { projectId, fileId } = what;
  await tx.query(
    fileId === null
      ? `select pg_notify($1, json_build_object('projectId', $2::text)::text)`
      : `select pg_notify($1, json_build_object('projectId', $2::text, 'objectIds', (
           select coalesce(json_agg(object_id), '[]') from (
             select object_id from file_versions where file_id = $3 order by version desc limit ${MAX_PURGED}) as newest))::text)`,
    fileId === null ? [TRANSFORMS_CHANNEL, projectId] : [TRANSFORMS_CHANNEL, projectId, fileId],
  );
}
