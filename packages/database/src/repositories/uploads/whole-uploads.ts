import type { File } from '@carcosa/contracts';
import type { BucketId, FileId, ObjectId, UploadId } from '@carcosa/kernel';
import type { NewAuditEntry } from '../audit/record-audit.ts';
import { fileJson } from '../file-json.ts';
import type { Queryable } from '../queryable.ts';
import { fileEnded, tenantStays } from './file-ended.ts';
import type { NewUpload } from './uploads-repository.ts';

/**
 * Bytes that are about to be stored whole and that nothing refers to yet: a deletion, written before the bytes are, that the upload's
 * completion takes back. Whatever dies in between, the collector removes them. `attempts` of such a row is -1 until a collector claims
 * it, which is how a claim and a completion exclude each other.
 */
export interface PendingObject {
  id: ObjectId;
  bucketId: BucketId;
  storageKey: string;
  size: number;
  /** Until when its writer is taken for alive, in ms since the epoch. */
  dueAt: number;
}

/** Writes down, all or none, what is about to be stored. */
async function announceObjects(db: Queryable, objects: PendingObject[]): Promise<void> {
  await db.query({
    name: 'announce_objects',
    text: announce('$1'),
    values: [JSON.stringify(objects)],
  });
}

function announce(objects: string): string {
  return `insert into object_deletions (id, bucket_id, storage_key, size, due_at, attempts)
    select n.id, n."bucketId", n."storageKey", n.size, to_timestamp(n."dueAt" / 1000), -1
    from jsonb_to_recordset(${objects}::jsonb) as n(id text, "bucketId" text, "storageKey" text, size bigint, "dueAt" float8)`;
}

/** There is nothing under the object's key, and nothing will be. */
export async function dropPendingObject(db: Queryable, id: ObjectId): Promise<void> {
  await db.query('delete from object_deletions where id = $1 and attempts = -1', [id]);
}

/** An upload whose bytes are stored whole under its key, and what is known of them. It has no row in `uploads` yet. */
export interface WholeUpload {
  upload: NewUpload;
  /** Id and public key of the file if the path is new. */
  fileId: FileId;
  fileKey: string;
  folder: string;
  name: string;
  /** For a new file whose upload does not say. */
  defaultVisibility: 'public' | 'private';
  size: number;
  contentType: string;
  sha256: string;
  /** Milliseconds since the epoch. */
  now: number;
  /** `pending`: it is not served until it was scanned. */
  quarantine: 'pending' | null;
  /** As `file.create`; it becomes `file.replace` where there was a file. */
  audit: NewAuditEntry;
}

/** What one transaction does for small uploads: some are about to be stored, others are stored. */
export interface WholeSteps {
  announced: PendingObject[];
  /** No two of them may have the same path. */
  stored: WholeUpload[];
}

/**
 * Writes down what is about to be stored, and makes files of what is stored, all of it or nothing: object, file (or a new version) and
 * version; and for doors that can be asked about an upload afterwards, its completed row. Only a stored upload whose
 * {@link PendingObject} no collector has claimed, and whose tenant is there still, counts, so that repeating changes nothing.
 * @returns the file of each stored upload that counted
 */
export async function advanceWholeUploads(
  db: Queryable,
  { announced, stored }: WholeSteps,
  publicUrl: string,
): Promise<Map<UploadId, File>> {
  if (stored.length === 0) {
    await announceObjects(db, announced);
    return new Map();
  }
  const { rows } = await db.query<{ uploadId: UploadId; file: File }>({
    name: 'complete_whole_uploads',
    text: COMPLETE,
    values: [
      JSON.stringify(stored.map(({ upload, ...facts }) => ({ ...upload, ...facts }))),
      publicUrl,
      JSON.stringify(announced),
    ],
  });
  return new Map(rows.map((row) => [row.uploadId, row.file]));
}

const COMPLETE = `
with input as (
  select * from jsonb_to_recordset($1::jsonb) as n(id text, "projectId" text, "tenantId" text, "bucketId" text, door text, path text,
    visibility text, metadata jsonb, "declaredContentType" text, checksum text, "createdBy" text, size bigint, "objectId" text,
    "storageKey" text, "doorState" jsonb, "createdAt" float8, "expiresAt" float8, "fileId" text, "fileKey" text, folder text, name text,
    "defaultVisibility" text, "contentType" text, sha256 text, now float8, audit jsonb, quarantine text)
), announced as (
  ${announce('$3')}
), kept as (
  delete from object_deletions where attempts = -1
    and id = any(array(select "objectId" from input where ${tenantStays('input."tenantId"')})) returning id
), ended as (
  select n.id, n."projectId" as project_id, n."tenantId" as tenant_id, n."bucketId" as bucket_id, n.path, n.visibility, n.metadata,
    n."declaredContentType" as declared_content_type, n."createdBy" as created_by, n."objectId" as object_id,
    n."storageKey" as storage_key, n."doorState" as door_state, n."fileId", n."fileKey", n.folder, n.name, n."defaultVisibility", n.size, n."contentType",
    decode(n.sha256, 'hex') as sha256, null::bytea as md5, to_timestamp(n.now / 1000) as now, n.audit, n.quarantine
  from input n join kept on kept.id = n."objectId"
), recorded as (
  insert into uploads (id, project_id, tenant_id, bucket_id, door, status, path, visibility, metadata, declared_content_type, checksum,
    created_by, size, "offset", object_id, storage_key, door_state, created_at, expires_at)
  select n.id, n."projectId", n."tenantId", n."bucketId", n.door, 'completed', n.path, n.visibility, n.metadata, n."declaredContentType",
    n.checksum, n."createdBy", n.size, n.size, n."objectId", n."storageKey", n."doorState", to_timestamp(n."createdAt" / 1000),
    to_timestamp(n."expiresAt" / 1000)
  from input n join kept on kept.id = n."objectId" where n.door <> 'simple'
), ${fileEnded('$2')}`;

/** The file whose first content was that object, as it is now; null when there is none (any more). */
export async function findFileOfObject(db: Queryable, id: ObjectId, publicUrl: string): Promise<File | null> {
  const { rows } = await db.query<{ file: File }>(
    `select ${fileJson('f', '$2')} as file from file_versions v join files f on f.id = v.file_id
     where v.object_id = $1 order by v.created_at limit 1`,
    [id, publicUrl],
  );
  return rows[0]?.file ?? null;
}
