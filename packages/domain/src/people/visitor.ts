import { CarcosaError, type SessionId, type UserId } from '@carcosa/kernel';
import type { Actor, UserActor } from '../access/actor.ts';
import type { AnonymousActor } from '../audit/audit-entry.ts';

/** Somebody who may not be known yet. */
export type Visitor = AnonymousActor | Actor;

/** Where a request comes from, as it is kept with a session. */
export interface Whence {
  ipAddress: string | null;
  userAgent: string | null;
}

export function whenceOf({ origin }: Visitor): Whence {
  return { ipAddress: origin?.ipAddress ?? null, userAgent: origin?.userAgent ?? null };
}

/** @throws CarcosaError `forbidden` for keys and tokens: they are nobody */
export function person(actor: Actor): UserActor {
  if (actor.type === 'user') return actor;
  throw new CarcosaError('forbidden', {
    message: 'This is for people who are logged in; a key or token cannot do it.',
  });
}

/** A visitor who has shown who she is, for the record. */
export function known({ origin }: Visitor, id: UserId, sessionId: SessionId): UserActor & Visitor {
  const nothing = { isServerAdmin: false, organizations: new Map(), teams: new Map() };
  return { type: 'user', id, sessionId, ...nothing, ...(origin ? { origin } : {}) };
}
