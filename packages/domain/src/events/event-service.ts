import {
  type Event,
  type EventType,
  eventsMatching,
  type ListEventsQuery,
  type Page,
  permissionOfEvent,
} from '@carcosa/contracts';
import { type EventRow, findEvent, listEvents, type Queryable } from '@carcosa/database';
import { CarcosaError, isId, type OrganizationId, type ProjectId } from '@carcosa/kernel';
import { type Access, authorizeOrganization, projectOf } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import type { Grant, Place } from '../access/grant.ts';
import { decodeCursor, encodeCursor } from '../files/cursor.ts';

export interface EventServiceParts {
  db: Queryable;
  access: Access;
  publicUrl: string;
  projects: {
    /** Where a project stands. @throws CarcosaError `not_found` */
    placeOf(id: ProjectId): Place | Promise<Place>;
  };
}

/** What of a project's events somebody may learn. */
interface Sight {
  grant: Grant;
  types: EventType[];
}

/**
 * Shows what happened. In a project everybody sees the events of what they may read there: of files with `files:read`, of keys with
 * `api-keys:read`, and so on. Who is confined to a tenant or folder sees only what happened there. Owners and admins see all of their organization.
 */
export class EventService {
  readonly #parts: EventServiceParts;

  constructor(parts: EventServiceParts) {
    this.#parts = parts;
  }

  /** A page of events, newest first. */
  async list(actor: Actor, query: ListEventsQuery): Promise<Page<Event>> {
    const { limit, cursor, from, to, resourceId, type } = query;
    const wanted = eventsMatching([type ?? '*']);
    const filter = await this.#filterFor(actor, query, wanted);
    const after = cursor === undefined ? undefined : decodeCursor('events', cursor, [0])[0];
    const rows = await listEvents(this.#parts.db, {
      ...{ ...filter, resourceId, after, limit: limit + 1, publicUrl: this.#parts.publicUrl },
      from: from === undefined ? undefined : Date.parse(from),
      to: to === undefined ? undefined : Date.parse(to),
    });
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    const hasMore = rows.length > limit;
    return {
      items: items.map(viewOf),
      nextCursor: hasMore && last ? encodeCursor('events', [last.position]) : null,
      hasMore,
    };
  }

  async get(actor: Actor, id: string): Promise<Event> {
    return viewOf(await this.find(actor, id));
  }

  /** The event, for somebody who may learn of it. @throws CarcosaError `not_found` */
  async find(actor: Actor, id: string): Promise<EventRow> {
    const event = isId('event', id) ? await findEvent(this.#parts.db, id, this.#parts.publicUrl) : null;
    if (!event || !(await this.#maySee(actor, event))) throw new CarcosaError('not_found');
    return event;
  }

  async #maySee(actor: Actor, event: EventRow): Promise<boolean> {
    if (manages(actor, event.organizationId)) return true;
    if (event.projectId === null) return false;
    const decision = await this.#parts.access.decide(
      actor,
      permissionOfEvent(event.type as EventType),
      event.projectId as ProjectId,
    );
    if (!decision.allowed) return false;
    const { tenantId, pathPrefix } = decision.grant;
    if (tenantId !== null && event.tenantId !== tenantId) return false;
    return pathPrefix === '' || event.path?.startsWith(`${pathPrefix}/`) === true;
  }

  async #filterFor(actor: Actor, query: ListEventsQuery, wanted: EventType[]) {
    const { organizationId, projectId, tenantId } = query;
    const isBound = actor.type === 'api-key' || actor.type === 'tenant-token';
    if (!isBound && projectId === undefined) {
      if (organizationId === undefined)
        throw new CarcosaError('invalid_request', { message: 'Say whose: organizationId or projectId.' });
      if (!isId('organization', organizationId)) throw new CarcosaError('not_found');
      authorizeOrganization(actor, 'manage', organizationId);
      return { organizationId, tenantId, types: query.type === undefined ? undefined : wanted };
    }
    const project = projectOf(actor, projectId);
    const { grant, types } = await this.#sight(actor, project, wanted);
    if (grant.tenantId !== null && tenantId !== undefined && tenantId !== grant.tenantId)
      throw new CarcosaError('not_found');
    const place = await this.#parts.projects.placeOf(project);
    if (organizationId !== undefined && organizationId !== place.organizationId) throw new CarcosaError('not_found');
    return {
      ...{ organizationId: place.organizationId, projectId: project, types, pathPrefix: grant.pathPrefix },
      tenantId: grant.tenantId ?? tenantId,
    };
  }

  /** @throws CarcosaError `not_found` for a stranger, `forbidden` for somebody who may see none of what is wanted */
  async #sight(actor: Actor, project: ProjectId, wanted: EventType[]): Promise<Sight> {
    let grant: Grant | undefined;
    const types: EventType[] = [];
    const decided = new Map<string, boolean>();
    for (const type of wanted) {
      const permission = permissionOfEvent(type);
      if (!decided.has(permission)) {
        const decision = await this.#parts.access.decide(actor, permission, project);
        if (decision.allowed) grant = decision.grant;
        else if (decision.error === 'not_found') throw new CarcosaError('not_found');
        decided.set(permission, decision.allowed);
      }
      if (decided.get(permission)) types.push(type);
    }
    if (grant) return { grant, types };
    const permission = wanted[0] && permissionOfEvent(wanted[0]);
    throw new CarcosaError('forbidden', { details: { permission } });
  }
}

function manages(actor: Actor, organizationId: string): boolean {
  if (actor.type === 'system') return true;
  const role = actor.type === 'user' ? actor.organizations.get(organizationId as OrganizationId) : undefined;
  return role === 'owner' || role === 'admin';
}

function viewOf({ position: _, path: __, ...event }: EventRow): Event {
  return event;
}
