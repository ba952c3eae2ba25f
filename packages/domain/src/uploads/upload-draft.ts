import { assertPath, splitPath, type Visibility } from '@carcosa/contracts';
import type { NewUpload, UploadDoor } from '@carcosa/database';
import { CarcosaError, type Clock, type IdGenerator } from '@carcosa/kernel';
import { storageKey } from '@carcosa/storage';
import { type Actor, actorId } from '../access/actor.ts';
import { authorize, projectOf } from '../access/authorize.ts';
import type { UploadProjects } from './upload-project.ts';

/** An upload that nothing was added to for so long ends; each request that adds to it extends it. */
export const UPLOAD_LIFETIME_MS = 24 * 3600 * 1000;

export interface CreateUpload {
  door: UploadDoor;
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
}

/**
 * What the row of a new upload says, for somebody who may create it.
 * @throws CarcosaError `forbidden`, `not_found`, `invalid_path`
 */
export async function draftUpload(
  parts: { clock: Clock; ids: IdGenerator; projects: UploadProjects },
  actor: Actor,
  input: CreateUpload,
): Promise<NewUpload> {
  const projectId = projectOf(actor, input.projectId);
  authorize(actor, 'files:write', projectId);
  if (input.tenantId) throw new CarcosaError('not_found', { message: 'There is no tenant with that id.' });
  const project = await parts.projects.uploadProject(projectId);
  const objectId = parts.ids.next('object');
  const path = input.path ?? pathOfItsOwn(objectId, input.fileName);
  assertPath(path);
  const now = parts.clock.now();
  // Only its one request can continue a simple upload: its bytes are due as soon as its lease has lapsed.
  const expiresAt = input.door === 'simple' ? now : now + UPLOAD_LIFETIME_MS;
  return {
    id: parts.ids.next('upload'),
    projectId,
    tenantId: '',
    bucketId: project.bucketId,
    door: input.door,
    path,
    visibility: input.visibility ?? null,
    metadata: input.metadata ?? null,
    declaredContentType: input.contentType ?? null,
    checksum: input.checksum ?? null,
    createdBy: actorId(actor),
    size: input.size,
    objectId,
    storageKey: storageKey({ ...project, projectId, path, objectId }),
    doorState: input.doorState ?? {},
    leaseOwner: null,
    createdAt: now,
    expiresAt,
    collectAfter: expiresAt,
  };
}

/** The object's id names a folder that nobody else uses, so that equal names of files never replace each other. */
function pathOfItsOwn(objectId: string, fileName = 'file'): string {
  const name = splitPath(fileName.replace(/\/+$/, '')).name || 'file';
  return `${objectId.slice(-12)}/${name}`;
}
