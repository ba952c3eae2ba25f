import type { BucketId, OrganizationId, ProjectId, TeamId } from '@carcosa/kernel';

/** What an upload needs to know of its project. */
export interface UploadProject {
  id: ProjectId;
  organizationId: OrganizationId;
  teamId: TeamId;
  bucketId: BucketId;
  defaultVisibility: 'public' | 'private';
  hashDirectUploads: boolean;
}

export interface UploadProjects {
  /** @throws CarcosaError `not_found` */
  uploadProject(id: ProjectId): Promise<UploadProject>;
}
