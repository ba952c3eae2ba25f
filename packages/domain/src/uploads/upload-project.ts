import type { BucketId, OrganizationId, ProjectId, TeamId, TenantId } from '@carcosa/kernel';

import type { FileRules } from './file-rules.ts';

/** What an upload needs to know of its project. */
export interface UploadProject {
  id: ProjectId;
  organizationId: OrganizationId;
  teamId: TeamId;
  bucketId: BucketId;
  defaultVisibility: 'public' | 'private';
  hashDirectUploads: boolean;
  rules: FileRules;
}

export interface UploadProjects {
  /** @throws CarcosaError `not_found` */
  uploadProject(id: ProjectId): Promise<UploadProject>;
}

/** What an upload needs to know of the tenant that its file will belong to. */
export interface UploadTenant {
  id: TenantId;
  projectId: ProjectId;
  /** Its own bucket; null: the project's. */
  bucketId: BucketId | null;
  isSuspended: boolean;
}

export interface UploadTenants {
  /** Null when there is none with that id. */
  uploadTenant(id: TenantId): UploadTenant | null | Promise<UploadTenant | null>;
}
