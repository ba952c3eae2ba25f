import { EVENT_TYPES, type EventType, type Permission, permissionOfEvent, ROLE_PERMISSIONS } from '@carcosa/contracts';
import { type FollowedEvent, findTeam, type Queryable } from '@carcosa/database';
import { CarcosaError, type IdKind, isId, type OrganizationId, type ProjectId } from '@carcosa/kernel';
import { type Access, authorizeOrganization, roleInTeam } from '../access/access.ts';
import type { Actor, UserActor } from '../access/actor.ts';
import { covers, type Grant, mayPlace } from '../access/grant.ts';
import type { ProjectFactsCache } from '../projects/project-facts.ts';
import type { TenantFactsCache } from '../tenants/tenant-facts.ts';
import type { View } from './live-views.ts';
import type { OperationProgress } from './operation-progress.ts';

export interface RoomsParts {
  db: Queryable;
  access: Access;
  projects: Pick<ProjectFactsCache, 'placeOf'>;
  tenants: Pick<TenantFactsCache, 'facts'>;
  operations: Pick<OperationProgress, 'find'>;
}

/** The permissions of which any lets somebody see some events of a project. */
const SIGHTS: readonly Permission[] = [...new Set(EVENT_TYPES.map(permissionOfEvent))].sort();
/** The kinds of rooms, and of what the id behind the colon is; undefined: whatever has progress. */
const KINDS: Readonly<Record<string, IdKind | undefined>> = {
  user: 'user',
  organization: 'organization',
  team: 'team',
  project: 'project',
  tenant: 'tenant',
  upload: 'upload',
  operation: undefined,
};

/** The part of a project's events that an actor may see. */
interface Sight {
  permissions: ReadonlySet<Permission>;
  grant: Grant;
}

/** Decides who may join a room, and what they see there: as `GET /api/v1/events` would show it to them. */
export class Rooms {
  readonly #parts: RoomsParts;

  constructor(parts: RoomsParts) {
    this.#parts = parts;
  }

  /**
   * What the actor sees in a room such as `project:prj_…`.
   * @throws CarcosaError `invalid_request` for what is no name of a room, `not_found` for what the actor may not know of, `forbidden`
   */
  async open(actor: Actor, room: string): Promise<View> {
    const [kind = '', id = '', ...rest] = room.split(':');
    if (!Object.hasOwn(KINDS, kind) || id === '' || rest.length > 0) throw noRoom(room);
    const idKind = KINDS[kind];
    if (idKind !== undefined && !isId(idKind, id)) throw new CarcosaError('not_found');
    if (kind === 'organization') return this.#organization(actor, room, id as OrganizationId);
    if (kind === 'user') return this.#user(actor, room, id);
    if (kind === 'team') return this.#team(actor, room, id);
    if (kind === 'project') return this.#project(actor, room, id as ProjectId);
    if (kind === 'tenant') return this.#tenant(actor, room, id);
    return this.#operation(actor, room, id);
  }

  #organization(actor: Actor, room: string, id: OrganizationId): View {
    authorizeOrganization(actor, 'manage', id);
    return { key: room, places: [{ column: 'organization_id', id }], shows: () => true };
  }

  /** What a person did, and what happened to them, as far as they may still see it. */
  #user(actor: Actor, room: string, id: string): View {
    if (actor.type !== 'user' || actor.id !== id) throw new CarcosaError('not_found');
    const memberships = [...actor.organizations, ...actor.teams].sort().map(([of, role]) => `${of}=${role}`);
    return {
      key: `${room}:${memberships.join(',')}`,
      places: [...actor.organizations.keys()].map((each) => ({ column: 'organization_id', id: each })),
      shows: (event) => concerns(event, id) && maySee(actor, event),
    };
  }

  async #team(actor: Actor, room: string, id: string): Promise<View> {
    const team = actor.type === 'user' && isId('team', id) ? await findTeam(this.#parts.db, id) : null;
    const role = team && actor.type === 'user' ? roleInTeam(actor, { ...team, teamId: team.id }) : undefined;
    if (!team || !role) throw new CarcosaError('not_found');
    const permissions = new Set<Permission>(SIGHTS.filter((each) => ROLE_PERMISSIONS[role].includes(each)));
    return {
      key: `${room}:${keyOf(permissions)}`,
      places: [{ column: 'team_id', id }],
      shows: ({ type }) => permissions.has(permissionOfEvent(type as EventType)),
    };
  }

  async #project(actor: Actor, room: string, id: ProjectId): Promise<View> {
    await this.#parts.projects.placeOf(id);
    const sight = await this.#sight(actor, id);
    const { tenantId } = sight.grant;
    const places = [tenantId === null ? placeOf('project_id', id) : placeOf('tenant_id', tenantId)];
    return { key: `${room}:${sightKey(sight)}`, places, shows: (event) => showsTo(sight, event) };
  }

  async #tenant(actor: Actor, room: string, id: string): Promise<View> {
    const tenant = isId('tenant', id) ? await this.#parts.tenants.facts(id) : null;
    if (!tenant) throw new CarcosaError('not_found');
    const found = await this.#sight(actor, tenant.projectId);
    if (found.grant.tenantId !== null && found.grant.tenantId !== tenant.id) throw new CarcosaError('not_found');
    const sight = { ...found, grant: { ...found.grant, tenantId: tenant.id } };
    return {
      key: `${room}:${sightKey(sight)}`,
      places: [placeOf('tenant_id', id)],
      shows: (event) => showsTo(sight, event),
    };
  }

  /** Whoever may read the files of a place, or write there, may follow what makes files there. */
  async #operation(actor: Actor, room: string, id: string): Promise<View> {
    const operation = await this.#parts.operations.find(id);
    if (!operation) throw new CarcosaError('not_found');
    const { projectId, tenantId, path } = operation;
    const reads = await this.#parts.access.decide(actor, 'files:read', projectId);
    const decision = reads.allowed ? reads : await this.#parts.access.decide(actor, 'files:write', projectId);
    if (!decision.allowed) throw new CarcosaError(decision.error);
    if (!covers(decision.grant, { tenantId, path: path ?? '' })) throw new CarcosaError('not_found');
    return {
      key: room,
      places: [placeOf('project_id', projectId)],
      shows: ({ resourceId, data }) => resourceId === id || data.uploadId === id || data.jobId === id,
      operationId: id,
    };
  }

  /** @throws CarcosaError `not_found` for a stranger, `forbidden` for somebody who may see nothing there */
  async #sight(actor: Actor, projectId: ProjectId): Promise<Sight> {
    const permissions = new Set<Permission>();
    let grant: Grant | undefined;
    for (const permission of SIGHTS) {
      const decision = await this.#parts.access.decide(actor, permission, projectId);
      if (decision.allowed) {
        permissions.add(permission);
        grant = decision.grant;
      } else if (decision.error === 'not_found') throw new CarcosaError('not_found');
    }
    if (!grant) throw new CarcosaError('forbidden', { details: { permission: SIGHTS } });
    return { permissions, grant };
  }
}

function showsTo({ permissions, grant }: Sight, { type, tenantId, path }: FollowedEvent): boolean {
  if (!permissions.has(permissionOfEvent(type as EventType))) return false;
  if (grant.tenantId !== null && tenantId !== grant.tenantId) return false;
  return grant.pathPrefix === '' || (path !== null && mayPlace(grant, path));
}

function concerns({ resourceId, data }: FollowedEvent, userId: string): boolean {
  const { actor } = data as { actor?: { id?: unknown } };
  return resourceId === userId || data.userId === userId || actor?.id === userId;
}

/** What happened to somebody they may know; what they did, as long as they could read it. */
function maySee(
  actor: UserActor,
  { type, organizationId, teamId, projectId, resourceId, data }: FollowedEvent,
): boolean {
  const role = actor.organizations.get(organizationId as OrganizationId);
  if (role === 'owner' || role === 'admin') return true;
  if (projectId === null) return role !== undefined && (resourceId === actor.id || data.userId === actor.id);
  if (teamId === null) return false;
  const place = { organizationId, teamId } as Parameters<typeof roleInTeam>[1];
  const inTeam = roleInTeam(actor, place);
  return inTeam !== undefined && ROLE_PERMISSIONS[inTeam].includes(permissionOfEvent(type as EventType));
}

const keyOf = (permissions: ReadonlySet<Permission>): string => [...permissions].sort().join(',');
const sightKey = ({ permissions, grant }: Sight): string =>
  [keyOf(permissions), grant.tenantId ?? '', grant.pathPrefix].join(':');
const placeOf = (column: 'project_id' | 'tenant_id', id: string) => ({ column, id });

function noRoom(room: string): CarcosaError {
  return new CarcosaError('invalid_request', {
    message: `There is no room of such a name: say what and which, as in project:prj_…; what is one of ${Object.keys(KINDS).join(', ')}.`,
    details: { room: room.slice(0, 100) },
  });
}
