import type { MemberRole } from '@carcosa/contracts';
import { findSessionIdentity, type Queryable } from '@carcosa/database';
import {
  CarcosaError,
  type Clock,
  type Lookups,
  type OrganizationId,
  type SessionId,
  type TeamId,
  type UserId,
} from '@carcosa/kernel';
import type { UserActor } from '../access/actor.ts';

/** Most sessions that are remembered, and for how many milliseconds a change may go unnoticed by a node that is cut off. */
const CACHE_SIZE = 5000;
const CACHE_MS = 30_000;

interface Remembered {
  actor: UserActor;
  /** When the session ends by itself, and until when this may be believed; milliseconds since the epoch. */
  expiresAt: number;
  until: number;
}

/** Remembers who a session belongs to and what that person may do; forgets it when any node announces a change. */
export class SessionCache {
  readonly lookups: Lookups = { hits: 0, misses: 0 };
  readonly #db: Queryable;
  readonly #clock: Clock;
  // In the order of use: the first is the one that was not asked for longest.
  readonly #cache = new Map<SessionId, Remembered>();
  /** Counts what was forgotten: what was read before may not be remembered after. */
  #forgotten = 0;

  constructor(parts: { db: Queryable; clock: Clock }) {
    this.#db = parts.db;
    this.#clock = parts.clock;
  }

  /**
   * Whose session it is: at once when it is remembered, else after one query.
   * @throws CarcosaError (or rejects with) `unauthenticated` when the session has ended or is not that user's
   */
  actorOf(sessionId: SessionId, userId: UserId): UserActor | Promise<UserActor> {
    const now = this.#clock.now();
    const remembered = this.#cache.get(sessionId);
    // One that seems to have expired may have been refreshed on another node since.
    if (!remembered || remembered.until <= now || remembered.expiresAt <= now) {
      this.lookups.misses += 1;
      return this.#read(sessionId, userId);
    }
    this.lookups.hits += 1;
    this.#remember(sessionId, remembered);
    return admit(remembered.actor, userId);
  }

  /** Forgets the sessions of one person, or all when the connection that announces changes was lost for a while. */
  invalidate(userId?: string): void {
    this.#forgotten++;
    if (userId === undefined) this.#cache.clear();
    else for (const [id, { actor }] of this.#cache) if (actor.id === userId) this.#cache.delete(id);
  }

  async #read(sessionId: SessionId, userId: UserId): Promise<UserActor> {
    const before = this.#forgotten;
    const identity = await findSessionIdentity(this.#db, sessionId);
    const now = this.#clock.now();
    if (!identity || identity.expiresAt.getTime() <= now) throw new CarcosaError('unauthenticated');
    const actor: UserActor = {
      type: 'user',
      id: identity.userId,
      sessionId,
      isServerAdmin: identity.isServerAdmin,
      organizations: new Map(Object.entries(identity.organizations) as [OrganizationId, MemberRole][]),
      teams: new Map(Object.entries(identity.teams) as [TeamId, MemberRole][]),
    };
    if (before === this.#forgotten)
      this.#remember(sessionId, { actor, expiresAt: identity.expiresAt.getTime(), until: now + CACHE_MS });
    return admit(actor, userId);
  }

  #remember(sessionId: SessionId, entry: Remembered): void {
    this.#cache.delete(sessionId);
    this.#cache.set(sessionId, entry);
    if (this.#cache.size <= CACHE_SIZE) return;
    const [oldest] = this.#cache.keys();
    if (oldest !== undefined) this.#cache.delete(oldest);
  }
}

function admit(actor: UserActor, userId: UserId): UserActor {
  if (actor.id !== userId) throw new CarcosaError('unauthenticated');
  return actor;
}
