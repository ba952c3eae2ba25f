import { assertPath, splitPath, type Visibility } from '@carcosa/contracts';
import { chargeEntry, type NewUpload, type QuotaCharge, type UploadDoor } from '@carcosa/database';
import { type BucketId, CarcosaError, type Clock, type IdGenerator, isId } from '@carcosa/kernel';
import { storageKey } from '@carcosa/storage';
import { type Access, projectOf } from '../access/access.ts';
import { type Actor, actorId } from '../access/actor.ts';
import { type Grant, mayPlace, placeRefused } from '../access/grant.ts';
import type { Quotas } from '../quotas/quotas.ts';
import { assertSize } from './file-rules.ts';
import type { UploadProjects, UploadTenant, UploadTenants } from './upload-project.ts';
import type { UploadRules } from './upload-rules.ts';

/** An upload that nothing was added to for so long ends; each request that adds to it extends it. */
export const UPLOAD_LIFETIME_MS = 24 * 3600 * 1000;

export interface CreateUpload {
  /** Or what decides it once it is known where the bytes will go. */
  door: UploadDoor | ((bucketId: string) => Promise<UploadDoor>);
  projectId?: string | undefined;
  /** Where the file will be; absent: in a folder of its own, under `fileName`, so that nothing is replaced. */
  path?: string | undefined;
  fileName?: string | undefined;
  tenantId?: string | undefined;
  /** Bytes; null: told later. */
  size: number | null;
  contentType?: string | undefined;
  visibility?: Visibility | undefined;
  metadata?: Record<string, unknown> | undefined;
  /** `sha256:<hex>` of the whole content. */
  checksum?: string | undefined;
  doorState?: Record<string, unknown>;
  /** The key that the file gets if its path is new; absent: one that nobody guesses. */
  fileKey?: string | undefined;
  /** One of the project's buckets, which the caller has looked at; absent: the tenant's own, or the project's first. */
  bucketId?: BucketId | undefined;
  /** What its bytes must be, beside what the project takes. */
  accepts?: UploadRules | undefined;
}

export interface DraftParts {
  clock: Clock;
  ids: IdGenerator;
  access: Access;
  projects: UploadProjects;
  tenants: UploadTenants;
  quotas: Quotas;
}

/** The row of a new upload, and what its insertion has to reserve. */
export interface UploadDraft {
  row: NewUpload;
  charges: QuotaCharge[];
}

/**
 * What the row of a new upload says, for somebody who may create it.
 * @throws CarcosaError `forbidden`, `not_found`, `invalid_path`
 */
export async function draftUpload(parts: DraftParts, actor: Actor, input: CreateUpload): Promise<UploadDraft> {
  const projectId = projectOf(actor, input.projectId);
  const grant = await parts.access.authorize(actor, 'files:write', projectId);
  const project = await parts.projects.uploadProject(projectId);
  assertSize(project.rules, input.size);
  const tenant = await tenantOf(parts.tenants, grant, input.tenantId);
  const objectId = parts.ids.next('object');
  const path = input.path ?? pathOfItsOwn(grant, objectId, input.fileName);
  assertPath(path);
  if (!mayPlace(grant, path)) throw placeRefused(grant);
  const now = parts.clock.now();
  const bucketId = tenant?.bucketId ?? input.bucketId ?? project.bucketId;
  const door = typeof input.door === 'function' ? await input.door(bucketId) : input.door;
  // Only its one request can continue a simple upload: its bytes are due as soon as its lease has lapsed.
  const expiresAt = door === 'simple' ? now : now + UPLOAD_LIFETIME_MS;
  const tenantId = tenant?.id ?? '';
  const isPartial = input.doorState?.concat === 'partial';
  const charges = await parts.quotas.chargesFor({ projectId, tenantId, size: input.size, isPartial });
  const row: NewUpload = {
    id: parts.ids.next('upload'),
    projectId,
    tenantId,
    bucketId,
    door,
    path,
    visibility: input.visibility ?? null,
    metadata: input.metadata ?? null,
    declaredContentType: input.contentType ?? null,
    checksum: input.checksum ?? null,
    createdBy: actorId(actor),
    size: input.size,
    objectId,
    storageKey: storageKey({ ...project, projectId, tenantId: tenant?.id ?? null, path, objectId }),
    doorState: doorStateOf(input),
    leaseOwner: null,
    createdAt: now,
    expiresAt,
    collectAfter: expiresAt,
    quotaScopes: charges.length === 0 ? null : charges.map(chargeEntry),
  };
  return { row, charges };
}

function doorStateOf({ doorState, fileKey, accepts }: CreateUpload): Record<string, unknown> {
  return { ...doorState, ...(fileKey === undefined ? {} : { fileKey }), ...(accepts === undefined ? {} : { accepts }) };
}

/** The object's id names a folder that nobody else uses, so that equal names of files never replace each other. */
function pathOfItsOwn({ pathPrefix }: Grant, objectId: string, fileName = 'file'): string {
  const name = splitPath(fileName.replace(/\/+$/, '')).name || 'file';
  const own = `${objectId.slice(-12)}/${name}`;
  return pathPrefix === '' ? own : `${pathPrefix}/${own}`;
}

/** The tenant that the file will belong to; null for none. @throws CarcosaError `not_found`, `tenant_suspended` */
async function tenantOf(tenants: UploadTenants, grant: Grant, requested?: string): Promise<UploadTenant | null> {
  if (grant.tenantId !== null && requested !== undefined && requested !== grant.tenantId) throw noTenant();
  const id = grant.tenantId ?? requested;
  if (id === undefined) return null;
  if (!isId('tenant', id)) throw noTenant();
  const tenant = await tenants.uploadTenant(id);
  if (tenant?.projectId !== grant.projectId) throw noTenant();
  if (tenant.isSuspended) throw new CarcosaError('tenant_suspended');
  return tenant;
}

const noTenant = () => new CarcosaError('not_found', { message: 'There is no tenant with that id.' });
