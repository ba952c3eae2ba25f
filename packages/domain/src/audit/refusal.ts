import type { AuditAction, AuditResourceType } from '@carcosa/contracts';
import type { AuditTarget, NewAuditEntry } from '@carcosa/database';
import { type Clock, type ErrorCode, ID_PREFIXES, type IdKind, isId, toIsoString } from '@carcosa/kernel';
import { roleInTeam } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { type AnonymousActor, type AuditPlace, auditEntry } from './audit-entry.ts';

/** Somebody was refused something. */
export interface Refusal {
  actor: Actor | AnonymousActor;
  action: AuditAction;
  result: ErrorCode;
  /** The address as the route has it, without what is named in it. */
  request: { method: string; route: string };
  /** Ids that the request named, the most particular first. */
  ids: readonly string[];
  /** Public id of the API key that somebody unknown showed: its secret was wrong, it has ended, or may not be used from there. */
  publicId?: string | undefined;
  /** Key of the address of a file. */
  fileKey?: string | undefined;
  /** The account that somebody wanted to log in to. */
  account?: string | undefined;
}

/** Refusals of one caller that are alike, as they are written. */
export interface CountedRefusal {
  refusal: Refusal;
  count: number;
  /** Milliseconds since the epoch. */
  first: number;
  last: number;
  /** How often each id was named, as far as they are remembered. */
  ids: ReadonlyMap<string, number>;
  /** Stands for callers of whom there were too many to tell them apart. */
  isOverflow: boolean;
}

/**
 * Errors that are refusals: somebody may not, is not who they say, or did it too often. Not those of requests that are wrong, or
 * that come at the wrong moment. `not_found` counts where something was named that is there, and that the actor may not know of.
 */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unauthenticated',
  'invalid_credentials',
  'invalid_code',
  'second_step_expired',
  'second_step_locked',
  'email_unverified',
  'link_invalid',
  'login_not_fresh',
  'passkey_refused',
  'cross_site_request',
  'forbidden',
  'tenant_suspended',
  'not_found',
  'signature_invalid',
  'rate_limited',
  'quota_exceeded',
]);

export const isRefusal = (code: ErrorCode): boolean => REFUSALS.has(code);

/** Whether a text has the form of an id of ours. */
export function isAnyId(text: string): boolean {
  const kind = KINDS.get(text.slice(0, text.indexOf('_')));
  return kind !== undefined && isId(kind, text);
}

const KINDS = new Map(Object.entries(ID_PREFIXES).map(([kind, prefix]) => [prefix as string, kind as IdKind]));
const RESOURCES: Partial<Record<IdKind, AuditResourceType>> = {
  ...{
    organization: 'organization',
    team: 'team',
    project: 'project',
    tenant: 'tenant',
    bucket: 'bucket',
    user: 'user',
  },
  ...{
    apiKey: 'api-key',
    session: 'session',
    invitation: 'invitation',
    token: 'token',
    file: 'file',
    upload: 'upload',
  },
};

/**
 * The entries for refusals, given where the things stand that were named.
 *
 * A refusal is told to whom it concerns. "Not found", where there is something, goes to the organization whose it is, and never to
 * that of the caller: there it would say that the thing exists. What an actor may know of and may not do is told to its own
 * organization; what comes from strangers and names nothing, to the administrators of the server.
 */
export function refusalEntries(
  counted: CountedRefusal,
  targets: ReadonlyMap<string, AuditTarget>,
  clock: Clock,
): NewAuditEntry[] {
  const { refusal, count, ids } = counted;
  if (refusal.result !== 'not_found') return [entryOf(counted, aboutOf(refusal, targets), count, clock)];
  return [...ids].flatMap(([id, times]) => {
    const target = targets.get(id);
    // What is there and may be known of was not refused: a version of it was missing, or the like.
    if (!target || mayKnow(refusal.actor, target)) return [];
    return [entryOf(counted, { id: target.id, place: placeOf(target) }, times, clock)];
  });
}

interface About {
  id: string | null;
  place: AuditPlace;
}

function aboutOf({ actor, ids, publicId, fileKey }: Refusal, targets: ReadonlyMap<string, AuditTarget>): About {
  const [id = null] = ids;
  if (actor.type === 'api-key')
    return { id, place: { projectId: actor.projectId, tenantId: actor.restrictions.tenantId } };
  if (actor.type === 'tenant-token') return { id, place: { projectId: actor.projectId, tenantId: actor.tenantId } };
  if (actor.type === 'anonymous') {
    const target = targets.get(publicId ?? '') ?? targets.get(fileKey ?? '');
    return target ? { id: target.id, place: placeOf(target) } : { id, place: {} };
  }
  // Somebody who may know of what was named, and may not do that with it.
  const target = ids.map((each) => targets.get(each)).find((each) => each && mayKnow(actor, each));
  return { id, place: target ? placeOf(target) : {} };
}

function entryOf(counted: CountedRefusal, about: About, count: number, clock: Clock): NewAuditEntry {
  const { refusal, first, last, isOverflow } = counted;
  const { actor, action, result, request, account } = refusal;
  const prefix = about.id?.slice(0, about.id.indexOf('_')) ?? '';
  const type = RESOURCES[KINDS.get(prefix) as IdKind];
  const span = count > 1 ? { count, first: toIsoString(first), last: toIsoString(last) } : {};
  const after = {
    ...request,
    ...(account === undefined ? {} : { account }),
    ...span,
    ...(isOverflow && { callers: 'many' }),
  };
  const resource = about.id !== null && type ? { type, id: about.id } : undefined;
  return { ...auditEntry(actor, { action, resource, place: about.place, after, result }, clock), at: last };
}

function placeOf({ organizationId, projectId, tenantId }: AuditTarget): AuditPlace {
  return { organizationId, projectId, tenantId };
}

function mayKnow(actor: Refusal['actor'], target: AuditTarget): boolean {
  if (actor.type === 'system') return true;
  if (actor.type === 'anonymous') return false;
  const { organizationId, teamId, projectId, tenantId, path } = target;
  if (actor.type === 'user') {
    const mayKnowTeam = teamId !== null && roleInTeam(actor, { organizationId, teamId }) !== undefined;
    return teamId === null ? actor.organizations.has(organizationId) : mayKnowTeam;
  }
  if (projectId !== actor.projectId) return false;
  const own = actor.type === 'tenant-token' ? actor : actor.restrictions;
  if (own.tenantId !== undefined && own.tenantId !== tenantId) return false;
  return own.pathPrefix === undefined || path === null || path.startsWith(`${own.pathPrefix}/`);
}
