import { type MemberRole, type Permission, ROLE_PERMISSIONS } from '@carcosa/contracts';
import { CarcosaError, isId, type OrganizationId, type ProjectId, type TenantId } from '@carcosa/kernel';
import type { Actor, ApiKeyActor, TenantTokenActor, UserActor } from './actor.ts';
import type { Grant, Place } from './grant.ts';

/** Why something is allowed or not, in words that `explain` shows. */
export type Decision =
  | { allowed: true; reason: string; grant: Grant }
  | { allowed: false; reason: string; error: 'not_found' | 'forbidden' };

/** What may be done in an organization or team: see it, run it, or own it. */
export type Control = 'read' | 'manage' | 'own';

export interface AccessParts {
  projects: {
    /** Where a project stands. @throws CarcosaError `not_found` */
    placeOf(id: ProjectId): Place | Promise<Place>;
  };
}

/** The one decision that every door asks: may this actor do that to this? */
export class Access {
  readonly #parts: AccessParts;

  constructor(parts: AccessParts) {
    this.#parts = parts;
  }

  /**
   * Lets pass who may use `permission` in the project, and says in which part of it. At once for keys and tokens: they know
   * their project, and are on the way of every request.
   * @throws CarcosaError `not_found` for a project that the actor may not know of, `forbidden` for a missing permission
   */
  authorize(actor: Actor, permission: Permission, projectId: ProjectId): Grant | Promise<Grant> {
    if (actor.type !== 'user') return granted(decideBound(actor, permission, projectId), permission);
    return this.decide(actor, permission, projectId).then((decision) => granted(decision, permission));
  }

  /** As {@link authorize}, for the whole project: what is confined to a part of it may not. */
  async authorizeWhole(actor: Actor, permission: Permission, projectId: ProjectId): Promise<void> {
    const { tenantId, pathPrefix } = await this.authorize(actor, permission, projectId);
    if (tenantId === null && pathPrefix === '') return;
    throw new CarcosaError('forbidden', {
      message: 'This key is confined to a part of the project, and this concerns all of it.',
      details: { permission, tenantId, pathPrefix },
    });
  }

  /** The same decision, told instead of thrown. */
  async decide(actor: Actor, permission: Permission, projectId: ProjectId): Promise<Decision> {
    if (actor.type !== 'user') return decideBound(actor, permission, projectId);
    const place = await this.#placeOf(projectId);
    const role = place && roleInTeam(actor, place);
    if (!role)
      return { allowed: false, error: 'not_found', reason: 'the user is no member of the team of this project' };
    if (!ROLE_PERMISSIONS[role].includes(permission))
      return {
        allowed: false,
        error: 'forbidden',
        reason: `the role "${role}" in the team does not include ${permission}`,
      };
    return { allowed: true, reason: `the role "${role}" in the team includes ${permission}`, grant: whole(projectId) };
  }

  async #placeOf(projectId: ProjectId): Promise<Place | null> {
    try {
      return await this.#parts.projects.placeOf(projectId);
    } catch (error) {
      if (error instanceof CarcosaError && error.code === 'not_found') return null;
      throw error;
    }
  }
}

/**
 * Lets pass who may do that in the organization: its members read, its owners and admins manage, its owners own.
 * @throws CarcosaError `not_found` for strangers, keys and tokens; `forbidden` for a role that is too low
 */
export function authorizeOrganization(actor: Actor, control: Control, organizationId: OrganizationId): void {
  if (actor.type === 'system') return;
  const role = actor.type === 'user' ? actor.organizations.get(organizationId) : undefined;
  if (!role) throw new CarcosaError('not_found');
  assertRole(role, control, 'organization');
}

/** The same for a team. Owners and admins of its organization are so in each of its teams; its other members see it. */
export function authorizeTeam(actor: Actor, control: Control, place: Place): void {
  if (actor.type === 'system') return;
  const role = actor.type === 'user' ? roleInTeam(actor, place) : undefined;
  if (!role) throw new CarcosaError('not_found');
  assertRole(role, control, 'team');
}

/** What a user is in a team: an owner or admin of the organization is that in each team; for others, what the team says. */
export function roleInTeam(actor: UserActor, { organizationId, teamId }: Place): MemberRole | undefined {
  const inOrganization = actor.organizations.get(organizationId);
  if (inOrganization === 'owner' || inOrganization === 'admin') return inOrganization;
  const inTeam = actor.teams.get(teamId);
  // Somebody who left the organization is in none of its teams; a viewer of it is no more than that anywhere.
  if (!inOrganization || !inTeam) return undefined;
  return inOrganization === 'viewer' ? 'viewer' : inTeam;
}

/**
 * The project that a request is about: the one that a key or token is bound to, which a `projectId` beside it may only repeat.
 * @throws CarcosaError `not_found` for another one, `invalid_request` when there is none
 */
export function projectOf(actor: Actor, requested?: string): ProjectId {
  if (actor.type === 'api-key' || actor.type === 'tenant-token') {
    if (requested !== undefined && requested !== actor.projectId) throw new CarcosaError('not_found');
    return actor.projectId;
  }
  if (requested === undefined) throw new CarcosaError('invalid_request', { message: 'Say which project: projectId.' });
  if (!isId('project', requested)) throw new CarcosaError('not_found');
  return requested;
}

function decideBound(actor: Exclude<Actor, UserActor>, permission: Permission, projectId: ProjectId): Decision {
  if (actor.type === 'system')
    return { allowed: true, reason: 'the system may do everything', grant: whole(projectId) };
  if (actor.projectId !== projectId)
    return { allowed: false, error: 'not_found', reason: `the ${nameOf(actor)} belongs to another project` };
  const has = actor.permissions.has(permission);
  if (!has && !actor.permissions.has('admin'))
    return { allowed: false, error: 'forbidden', reason: `the ${nameOf(actor)} does not have ${permission}` };
  const by = has ? permission : 'admin';
  return { allowed: true, reason: `the ${nameOf(actor)} has ${by}`, grant: grantOf(actor) };
}

function grantOf(actor: ApiKeyActor | TenantTokenActor): Grant {
  const { projectId } = actor;
  if (actor.type === 'tenant-token') return { projectId, tenantId: actor.tenantId, pathPrefix: actor.pathPrefix ?? '' };
  const { tenantId = null, pathPrefix = '' } = actor.restrictions;
  return { projectId, tenantId: tenantId as TenantId | null, pathPrefix };
}

function granted(decision: Decision, permission: Permission): Grant {
  if (decision.allowed) return decision.grant;
  throw decision.error === 'not_found'
    ? new CarcosaError('not_found')
    : new CarcosaError('forbidden', { details: { permission } });
}

function assertRole(role: MemberRole, control: Control, where: string): void {
  const enough = control === 'read' || role === 'owner' || (control === 'manage' && role === 'admin');
  if (enough) return;
  const needs = control === 'own' ? 'an owner' : 'an owner or admin';
  throw new CarcosaError('forbidden', { message: `Only ${needs} of the ${where} may do that.`, details: { role } });
}

const whole = (projectId: ProjectId): Grant => ({ projectId, tenantId: null, pathPrefix: '' });
const nameOf = (actor: ApiKeyActor | TenantTokenActor): string => (actor.type === 'api-key' ? 'key' : 'tenant token');
