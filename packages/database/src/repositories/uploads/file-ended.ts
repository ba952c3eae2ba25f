import { EVENT_CONTEXT, queueEvents, WOKEN } from '../events/event-queue.ts';
import { fileJson } from '../file-json.ts';
import { noteArrivals } from '../media/arrivals.ts';
import { ledgerEntry } from '../usage/usage-ledger.ts';
import { uploadTold } from './upload-events.ts';

/**
 * Whether the tenant that a new file would belong to is there, and stays until the transaction ends: its removal waits, and then finds the
 * file. "" is no tenant.
 * @param column of SQL, with its table
 */
export const tenantStays = (column: string): string =>
  `(${column} = '' or exists (select from tenants living where living.id = ${column} for key share))`;

/**
 * The end of a statement that makes files of uploads: object, file (or a new version of the one at that path), version, audit entry
 * and event of each row of `ended`, a part of the statement's `with` that comes before. No two rows may have the same path. Gives `uploadId` and `file` of each.
 * @param publicUrl the placeholder that holds our public address without a "/" at its end
 * @param options.ofSessions whether the uploads are told of too; `ended` has their door then
 */
export function fileEnded(publicUrl: string, { ofSessions = false } = {}): string {
  const sessions = `(select s.*, s.now as at from ended s)`;
  const more = `(select jsonb_build_object('fileId', f.id) from filed f where f.object_id = u.object_id)`;
  const uploaded = ofSessions
    ? `uploaded as (${uploadTold({ type: 'upload.completed', from: sessions, more })}), `
    : '';
  const told = ofSessions
    ? '(select position from happened union all select position from uploaded) both_told'
    : 'happened';
  return `stored as (
  insert into objects (id, project_id, bucket_id, storage_key, size, content_type, declared_content_type, sha256, md5, created_at, quarantine)
  select object_id, project_id, bucket_id, storage_key, size, "contentType", declared_content_type, sha256, md5, now, quarantine from ended
), filed as (
  insert into files as f (id, project_id, tenant_id, key, path, folder, name, visibility, metadata, uploaded_by, version,
    object_id, bucket_id, size, content_type, declared_content_type, sha256, md5, created_at, updated_at)
  select "fileId", project_id, tenant_id, "fileKey", path, folder, name, coalesce(visibility, "defaultVisibility"), coalesce(metadata, '{}'), created_by, 1,
    object_id, bucket_id, size, "contentType", declared_content_type, sha256, md5, now, now from ended order by project_id, tenant_id, path
  on conflict (project_id, tenant_id, path) where deleted_at is null do update set
    version = f.version + 1,
    visibility = coalesce((select e.visibility from ended e where e.object_id = excluded.object_id), f.visibility),
    metadata = coalesce((select e.metadata from ended e where e.object_id = excluded.object_id), f.metadata),
    object_id = excluded.object_id,
    bucket_id = excluded.bucket_id, size = excluded.size, content_type = excluded.content_type,
    declared_content_type = excluded.declared_content_type, sha256 = excluded.sha256, md5 = excluded.md5,
    updated_at = excluded.updated_at
  returning f.*
), versioned as (
  insert into file_versions (file_id, version, object_id, created_by, created_at)
  select f.id, f.version, f.object_id, e.created_by, f.updated_at from filed f join ended e on e.object_id = f.object_id
), metered as (
  ${ledgerEntry({ from: '(select e.*, e.now as at from ended e)', sign: 1, isUpload: true })}
), audited as (
  insert into audit_entries (at, organization_id, project_id, tenant_id, actor_type, actor_id, ip_address, user_agent, request_id, action,
    resource_type, resource_id, before, after, result)
  select e.now, e.audit->>'organizationId', f.project_id, nullif(f.tenant_id, ''), e.audit->>'actorType', e.audit->>'actorId',
    e.audit->>'ipAddress', e.audit->>'userAgent', e.audit->>'requestId', case f.version when 1 then 'file.create' else 'file.replace' end,
    'file', f.id, case when f.version > 1 then jsonb_build_object('version', f.version - 1) end,
    e.audit->'after' || jsonb_build_object('version', f.version, 'visibility', f.visibility), e.audit->>'result'
  from filed f join ended e on e.object_id = f.object_id returning id
), unsealed as (
  insert into audit_unsealed (entry_id) select id from audited
), described as materialized (
  select f.object_id, ${fileJson('f', publicUrl)} as file from filed f
), happened as (
  insert into events (id, type, organization_id, project_id, tenant_id, resource_id, path, data, created_at)
  select carcosa_id('evt', e.now), case f.version when 1 then 'file.created' else 'file.replaced' end, p.organization_id, f.project_id,
    nullif(f.tenant_id, ''), f.id, f.path, d.file::jsonb || ${EVENT_CONTEXT('p.organization_id', 'f.project_id', `e.audit->'actorType'`, `e.audit->'actorId'`)}
      || jsonb_build_object('uploadId', e.id),
    e.now
  from filed f join ended e on e.object_id = f.object_id join described d on d.object_id = f.object_id
    join projects p on p.id = f.project_id
  returning position
), ${uploaded}${queueEvents(told)}, ${noteArrivals()}, told as (
  select pg_notify('carcosa_files', json_build_object('keys', json_agg(f.key))::text) from filed f where f.version > 1 having count(*) > 0
)
select e.id as "uploadId", d.file, ${WOKEN}
from described d join ended e on e.object_id = d.object_id left join told on true`;
}
