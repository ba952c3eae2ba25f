import type { File } from '@carcosa/contracts';
import type { FileId, UploadId } from '@carcosa/kernel';
import type { NewAuditEntry } from '../audit/record-audit.ts';
import { fileJson } from '../file-json.ts';
import type { Queryable } from '../queryable.ts';
import { fileEnded, tenantStays } from './file-ended.ts';
import type { Lease } from './uploads-repository.ts';

/** An upload whose bytes are committed in the bucket, and what was learned of them. */
export interface UploadCompletion {
  uploadId: UploadId;
  lease: Lease;
  /** Id and public key of the file if the path is new. */
  fileId: FileId;
  fileKey: string;
  folder: string;
  name: string;
  /** For a new file whose upload does not say. */
  defaultVisibility: 'public' | 'private';
  size: number;
  contentType: string;
  sha256: string | null;
  md5: string | null;
  /** When what is staged may still be collected (a presigned address outlives the upload); null when nothing is left. */
  collectAfter: number | null;
  /** Milliseconds since the epoch. */
  now: number;
  /** `pending`: it is not served until it was scanned. */
  quarantine: 'pending' | null;
  /** What is recorded of it; which file it became, of which version, only the database knows. */
  audit: NewAuditEntry;
}

/**
 * Makes files of uploads, all of them or none: object, file (or a new version of the one at that path), version and the end
 * of the upload. Only an upload that is open and leased under the given fence counts, so that repeating, or a former holder
 * that wakes up, changes nothing; nor does one whose tenant was removed. No two completions of one call may have the same path.
 * @returns the file of each upload that counted
 */
export async function completeUploads(
  db: Queryable,
  completions: UploadCompletion[],
  publicUrl: string,
): Promise<Map<UploadId, File>> {
  const { rows } = await db.query<{ uploadId: UploadId; file: File }>({
    name: 'complete_uploads',
    text: COMPLETE,
    values: [
      JSON.stringify(completions.map(({ lease, ...rest }) => ({ ...rest, owner: lease.owner, fence: lease.fence }))),
      publicUrl,
    ],
  });
  return new Map(rows.map((row) => [row.uploadId, row.file]));
}

const COMPLETE = `
with input as (
  select * from jsonb_to_recordset($1::jsonb) as n("uploadId" text, owner text, fence bigint, "fileId" text, "fileKey" text,
    folder text, name text, "defaultVisibility" text, size bigint, "contentType" text, sha256 text, md5 text, "collectAfter" float8, now float8, audit jsonb, quarantine text)
), ended as (
  update uploads u set status = 'completed', "offset" = n.size, size = n.size, staged = case when n."collectAfter" is null then null else u.staged end,
    lease_owner = null, lease_until = null, collect_after = to_timestamp(n."collectAfter" / 1000)
  from input n
  where u.id = n."uploadId" and u.status = 'open' and u.lease_owner = n.owner and u.lease_fence = n.fence
    and ${tenantStays('u.tenant_id')}
  returning u.id, u.project_id, u.tenant_id, u.bucket_id, u.path, u.visibility, u.metadata, u.declared_content_type,
    u.created_by, u.object_id, u.storage_key, u.door, u.door_state, n."fileId", n."fileKey", n.folder, n.name, n."defaultVisibility", n.size, n."contentType",
    decode(n.sha256, 'hex') as sha256, decode(n.md5, 'hex') as md5, to_timestamp(n.now / 1000) as now, n.audit, n.quarantine
), ${fileEnded('$2', { ofSessions: true })}`;

/** The file that a completed upload became, as it is now; null when there is none (any more). */
export async function findCompletedFile(db: Queryable, id: UploadId, publicUrl: string): Promise<File | null> {
  const { rows } = await db.query<{ file: File }>(
    `select ${fileJson('f', '$2')} as file from uploads u
     join file_versions v on v.object_id = u.object_id join files f on f.id = v.file_id
     where u.id = $1 and u.status = 'completed' order by v.created_at limit 1`,
    [id, publicUrl],
  );
  return rows[0]?.file ?? null;
}
