import type { BucketId, FileId, ObjectId, ProjectId, TenantId, UploadId } from '@carcosa/kernel';
import type { UploadDoor, UploadStatus } from '../../schema/uploads.ts';

/** A row of `uploads` with the names of the program. Instants in milliseconds since the epoch. */
export interface UploadRow {
  id: UploadId;
  projectId: ProjectId;
  tenantId: TenantId | '';
  bucketId: BucketId;
  door: UploadDoor;
  status: UploadStatus;
  path: string;
  visibility: 'public' | 'private' | null;
  metadata: Record<string, unknown> | null;
  declaredContentType: string | null;
  checksum: string | null;
  createdBy: string | null;
  size: number | null;
  offset: number;
  objectId: ObjectId;
  storageKey: string;
  staged: Record<string, unknown> | null;
  doorState: Record<string, unknown>;
  leaseOwner: string | null;
  leaseFence: number;
  /** The file that it became; copies that share its bytes do not count. */
  fileId: FileId | null;
  createdAt: number;
  expiresAt: number;
  collectAfter: number | null;
}

const millis = (column: string, as: string) => `(extract(epoch from ${column}) * 1000)::float8 as "${as}"`;

/** The columns of an {@link UploadRow}, from the alias `u`. */
export const UPLOAD_COLUMNS = `
  u.id, u.project_id as "projectId", u.tenant_id as "tenantId", u.bucket_id as "bucketId", u.door, u.status, u.path,
  u.visibility, u.metadata, u.declared_content_type as "declaredContentType", u.checksum, u.created_by as "createdBy",
  u.size, u."offset", u.object_id as "objectId", u.storage_key as "storageKey", u.staged, u.door_state as "doorState",
  u.lease_owner as "leaseOwner", u.lease_fence as "leaseFence",
  (select v.file_id from file_versions v where v.object_id = u.object_id order by v.created_at limit 1) as "fileId",
  ${millis('u.created_at', 'createdAt')}, ${millis('u.expires_at', 'expiresAt')}, ${millis('u.collect_after', 'collectAfter')}`;
