import type { UsageQuery } from '@carcosa/contracts';
import type { UsageScope } from '@carcosa/database';
import { CarcosaError, type Clock, isId, type OrganizationId, type ProjectId, toIsoString } from '@carcosa/kernel';
import { type Access, authorizeOrganization, projectOf } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import type { Place } from '../access/grant.ts';

export const DAY_MS = 24 * 3_600_000;
/** Most days that are asked for at once: a year and a month. */
const MAX_DAYS = 400;

export interface UsageScopeParts {
  access: Access;
  projects: {
    /** Where a project stands. @throws CarcosaError `not_found` */
    placeOf(id: ProjectId): Place | Promise<Place>;
  };
  clock: Clock;
}

/** Whose usage somebody may see. */
export interface Sight {
  organizationId: OrganizationId;
  projectId?: ProjectId;
  tenantId?: string | undefined;
  /** Whether the actor sees a part of the project only, and names of nothing. */
  isConfined: boolean;
}

/**
 * Whose usage is asked for, for somebody who may see it: `usage:read` in a project, confined to a tenant that one's; owners and admins that
 * of their organization.
 * @throws CarcosaError `not_found`, `forbidden`, `invalid_request`
 */
export async function usageSight(
  { access, projects }: UsageScopeParts,
  actor: Actor,
  query: { organizationId?: string | undefined; projectId?: string | undefined; tenantId?: string | undefined },
): Promise<Sight> {
  const { organizationId, projectId, tenantId } = query;
  const isBound = actor.type === 'api-key' || actor.type === 'tenant-token';
  if (!isBound && projectId === undefined) {
    if (organizationId === undefined)
      throw new CarcosaError('invalid_request', { message: 'Say whose: organizationId or projectId.' });
    if (!isId('organization', organizationId)) throw new CarcosaError('not_found');
    authorizeOrganization(actor, 'manage', organizationId);
    return { organizationId, tenantId, isConfined: false };
  }
  const project = projectOf(actor, projectId);
  const grant = await access.authorize(actor, 'usage:read', project);
  if (grant.pathPrefix !== '') {
    const message = 'This key is confined to a folder, and usage is counted for all of the project.';
    throw new CarcosaError('forbidden', {
      message,
      details: { permission: 'usage:read', pathPrefix: grant.pathPrefix },
    });
  }
  if (grant.tenantId !== null && tenantId !== undefined && tenantId !== grant.tenantId)
    throw new CarcosaError('not_found');
  const place = await projects.placeOf(project);
  if (organizationId !== undefined && organizationId !== place.organizationId) throw new CarcosaError('not_found');
  return {
    ...{ organizationId: place.organizationId, projectId: project },
    tenantId: grant.tenantId ?? tenantId,
    isConfined: grant.tenantId !== null,
  };
}

/** The days that are asked for. @throws CarcosaError `invalid_request` for none, or too many */
export function usageDays(
  clock: Clock,
  { from, to }: Pick<UsageQuery, 'from' | 'to'>,
): Pick<UsageScope, 'from' | 'to'> {
  const today = dayOf(clock.now());
  const last = to ?? (from !== undefined && from > today ? from : today);
  const first = from ?? `${last.slice(0, 8)}01`;
  const days = daysBetween(first, last);
  if (days < 1) throw new CarcosaError('invalid_request', { message: '"from" must not be after "to".' });
  if (days > MAX_DAYS)
    throw new CarcosaError('invalid_request', {
      message: `Ask for at most ${MAX_DAYS} days at once.`,
      details: { days },
    });
  return { from: first, to: last };
}

/** The day in UTC that an instant lies in, as 2026-11-21. */
export const dayOf = (now: number): string => toIsoString(now).slice(0, 10);

/** How many days, both included. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS) + 1;
}

export const dayAfter = (day: string, days: number): string => dayOf(Date.parse(day) + days * DAY_MS);
