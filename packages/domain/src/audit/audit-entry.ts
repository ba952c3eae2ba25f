import { AUDIT_SUCCESS, type AuditAction, type AuditResourceType } from '@carcosa/contracts';
import type { NewAuditEntry } from '@carcosa/database';
import type { Clock, ErrorCode } from '@carcosa/kernel';
import { type Actor, actorId, type Origin } from '../access/actor.ts';
import { auditText, auditValue } from './audit-value.ts';

/** Somebody who is not known, or not yet: log-ins, wrong credentials. */
export interface AnonymousActor {
  readonly type: 'anonymous';
  readonly origin?: Origin;
}

/** Where the change took place. The organization of a project need not be said: the database knows it. */
export interface AuditPlace {
  organizationId?: string | null | undefined;
  projectId?: string | null | undefined;
  /** "" as null: none. */
  tenantId?: string | null | undefined;
}

/** What was done, or refused. */
export interface AuditEvent {
  action: AuditAction;
  resource?: { type: AuditResourceType; id: string | null } | undefined;
  /** Absent: what belongs to no organization, such as log-ins. */
  place?: AuditPlace | undefined;
  /** As JSON will have it; secrets are removed here, and what is too large is cut. */
  before?: unknown;
  after?: unknown;
  /** The code of the error that refused it; absent: it was done. */
  result?: ErrorCode | undefined;
}

/** Longest of what a client sends of itself, in characters. */
const MAX_USER_AGENT = 512;
const MAX_ID = 200;

/**
 * The entry for a change, to be written by `recordAudit` in the same transaction:
 *
 *     await recordAudit(tx, [auditEntry(actor, { action: 'team.update', resource: { type: 'team', id }, place, before, after }, clock)]);
 *
 * `before` and `after` need only the fields that differ (see {@link changedFields}); a thing that was made has no `before`, one that
 * was removed no `after`.
 */
export function auditEntry(actor: Actor | AnonymousActor, event: AuditEvent, clock: Clock): NewAuditEntry {
  const { action, resource, place = {}, before, after, result = AUDIT_SUCCESS } = event;
  const { origin } = actor;
  return {
    at: clock.now(),
    organizationId: place.organizationId || null,
    projectId: place.projectId || null,
    tenantId: place.tenantId || null,
    actorType: actor.type,
    actorId: actor.type === 'anonymous' ? null : actorId(actor),
    ipAddress: origin?.ipAddress ?? null,
    userAgent: auditText(origin?.userAgent, MAX_USER_AGENT),
    requestId: origin?.requestId ?? null,
    action,
    resourceType: resource?.type ?? null,
    resourceId: auditText(resource?.id, MAX_ID),
    before: auditValue(before),
    after: auditValue(after),
    result,
  };
}

/** The fields of two states of a thing that differ, for `before` and `after`. Compared as JSON. */
export function changedFields<State extends object>(
  before: State,
  after: State,
): { before: Partial<State>; after: Partial<State> } {
  const changed: { before: Partial<State>; after: Partial<State> } = { before: {}, after: {} };
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof State>) {
    if (JSON.stringify(before[key]) === JSON.stringify(after[key])) continue;
    changed.before[key] = before[key];
    changed.after[key] = after[key];
  }
  return changed;
}
