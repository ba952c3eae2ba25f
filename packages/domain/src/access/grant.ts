import { CarcosaError, type OrganizationId, type ProjectId, type TeamId, type TenantId } from '@carcosa/kernel';

/** Where an actor may do what it asked for: a project, or the part of it that it is confined to. */
export interface Grant {
  readonly projectId: ProjectId;
  /** The only tenant whose files count; null: all files of the project. */
  readonly tenantId: TenantId | null;
  /** The only folder whose files count, with those below it; "": all. */
  readonly pathPrefix: string;
}

/** Where the subject of a request stands in the tree. */
export interface Place {
  organizationId: OrganizationId;
  teamId: TeamId;
}

/** Whether the grant covers less than the whole project. */
export function isConfined({ tenantId, pathPrefix }: Grant): boolean {
  return tenantId !== null || pathPrefix !== '';
}

export function covers(grant: Grant, file: { tenantId: string | null; path: string }): boolean {
  if (grant.tenantId !== null && file.tenantId !== grant.tenantId) return false;
  return mayPlace(grant, file.path);
}

/** @throws CarcosaError `not_found` for what lies outside: one may not learn of it */
export function assertCovers(grant: Grant, file: { tenantId: string | null; path: string }): void {
  if (!covers(grant, file)) throw new CarcosaError('not_found');
}

/** Whether the actor may put something there. */
export function mayPlace({ pathPrefix }: Grant, path: string): boolean {
  return pathPrefix === '' || path.startsWith(`${pathPrefix}/`);
}

/** Not `not_found`: the actor named the place itself, and learns nothing of what is there. */
export function placeRefused({ pathPrefix }: Grant): CarcosaError {
  const message = `This key may only use paths below "${pathPrefix}/".`;
  return new CarcosaError('forbidden', { message, details: { pathPrefix } });
}
