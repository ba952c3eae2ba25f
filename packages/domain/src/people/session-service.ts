import { hash } from 'node:crypto';
import type { AuditAction, LoggedIn, Me, Session, SessionTokens } from '@carcosa/contracts';
import {
  announcePerson,
  deleteOtherSessions,
  deleteSession,
  findSessionByToken,
  findSessionToken,
  findUser,
  listMemberships,
  listSessions,
  noteCodeUse,
  type Queryable,
  type SessionRow,
} from '@carcosa/database';
import {
  CarcosaError,
  type Clock,
  isId,
  type Random,
  randomToken,
  type SessionId,
  toIsoString,
  type UserId,
} from '@carcosa/kernel';
import type { Actor, UserActor } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import { ACCESS_TOKEN_SECONDS, type AccessTokens } from './access-tokens.ts';
import { REFRESH_TOKEN_SECONDS, type RefreshTokens } from './refresh-tokens.ts';
import type { SessionCache } from './session-cache.ts';
import { toUser } from './user-view.ts';
import { known, person, type Visitor } from './visitor.ts';

/** Milliseconds in which a code of an authenticator is right: its own thirty seconds, and those before and after. */
const CODE_MS = 90_000;

export interface SessionServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  random: Random;
  accessTokens: AccessTokens;
  refreshTokens: RefreshTokens;
  sessionCache: SessionCache;
}

/** Sessions: where somebody is logged in. Makes their tokens, knows them again, and ends them on every node. */
export class SessionService {
  readonly #parts: SessionServiceParts;

  constructor(parts: SessionServiceParts) {
    this.#parts = parts;
  }

  /**
   * Who holds an access token: at once when it and its session are remembered.
   * @throws CarcosaError (or rejects with) `unauthenticated`
   */
  authenticate(token: string): UserActor | Promise<UserActor> {
    const claims = this.#parts.accessTokens.verify(token);
    if (claims instanceof Promise) return claims.then(({ sessionId, userId }) => this.#actorOf(sessionId, userId));
    return this.#actorOf(claims.sessionId, claims.userId);
  }

  /** What whoever has just logged in gets. @param sessionToken by which the library knows the session that it made */
  async begin(visitor: Visitor, sessionToken: string): Promise<LoggedIn> {
    const session = await findSessionByToken(this.#parts.db, sessionToken);
    if (!session) throw new CarcosaError('unauthenticated');
    const refreshToken = await this.#parts.transaction(async (tx) => {
      await this.#record(tx, known(visitor, session.userId, session.id), 'session.login', session.id);
      return await this.#parts.refreshTokens.issue(tx, session.id);
    });
    return await this.#loggedIn({ userId: session.userId, sessionId: session.id, refreshToken });
  }

  /**
   * As {@link begin}, after a code of an authenticator, which serves once (RFC 6238, 5.2), or a recovery code: the library lets two
   * requests pass that bring the same one at once, because its update compares under the snapshot of each.
   * @throws CarcosaError `invalid_code` for one that was used before: the session ends with it
   */
  async beginByCode(visitor: Visitor, sessionToken: string, code: string): Promise<LoggedIn> {
    const session = await findSessionByToken(this.#parts.db, sessionToken);
    if (!session) throw new CarcosaError('unauthenticated');
    if (!(await this.#useCode(session, code))) throw new CarcosaError('invalid_code');
    return await this.begin(visitor, sessionToken);
  }

  /** @throws CarcosaError `unauthenticated`; see {@link RefreshTokens.rotate} */
  async refresh(visitor: Visitor, refreshToken: string): Promise<LoggedIn> {
    return await this.#loggedIn(await this.#parts.refreshTokens.rotate(visitor, refreshToken));
  }

  /** Ends the session that a refresh token belongs to. False when it belongs to none. */
  async endByRefreshToken(visitor: Visitor, refreshToken: string): Promise<boolean> {
    const found = await this.#parts.transaction((tx) => this.#parts.refreshTokens.sessionOf(tx, refreshToken));
    return found !== null && (await this.#end(known(visitor, found.userId, found.sessionId), found.sessionId));
  }

  /** Ends the session that asks. */
  async logOut(actor: Actor): Promise<void> {
    const user = person(actor);
    await this.#end(user, user.sessionId);
  }

  async me(actor: Actor): Promise<Me> {
    const { id, sessionId } = person(actor);
    const user = await findUser(this.#parts.db, id);
    if (!user) throw new CarcosaError('unauthenticated');
    return { ...toUser(user), sessionId, organizations: await listMemberships(this.#parts.db, id) };
  }

  async list(actor: Actor): Promise<Session[]> {
    const { id, sessionId } = person(actor);
    const rows = await listSessions(this.#parts.db, id, new Date(this.#parts.clock.now()));
    return rows.map((row) => ({
      id: row.id,
      current: row.id === sessionId,
      ipAddress: row.ipAddress || null,
      userAgent: row.userAgent || null,
      createdAt: toIsoString(row.createdAt.getTime()),
      lastUsedAt: toIsoString(row.updatedAt.getTime()),
      expiresAt: toIsoString(row.expiresAt.getTime()),
    }));
  }

  /** @throws CarcosaError `not_found` for a session that is not one of the actor's own */
  async revoke(actor: Actor, id: string): Promise<void> {
    if (!isId('session', id) || !(await this.#end(person(actor), id))) throw new CarcosaError('not_found');
  }

  /** Ends all sessions of the actor but the one that asks. @returns how many there were */
  async revokeOthers(actor: Actor): Promise<number> {
    const { id, sessionId } = person(actor);
    return await this.#announced(id, async (tx) => {
      const ended = await deleteOtherSessions(tx, id, sessionId);
      for (const other of ended) await this.#record(tx, actor, 'session.revoke', other);
      return ended.length;
    });
  }

  /** What the library knows the actor's session by. @throws CarcosaError `unauthenticated` when it has ended */
  async libraryToken(actor: Actor): Promise<string> {
    const token = await findSessionToken(this.#parts.db, person(actor).sessionId);
    if (token === null) throw new CarcosaError('unauthenticated');
    return token;
  }

  /** Makes every node read anew what somebody may do, this one before it answers. */
  async forget(userId: UserId): Promise<void> {
    await announcePerson(this.#parts.db, userId);
    this.#parts.sessionCache.invalidate(userId);
  }

  async #useCode({ id: sessionId, userId }: SessionRow, code: string): Promise<boolean> {
    const now = this.#parts.clock.now();
    const times = { now: new Date(now), until: new Date(now + CODE_MS) };
    return await this.#parts.transaction(async (tx) => {
      const id = randomToken(this.#parts.random, 24);
      const codeHash = hash('sha256', code);
      const isFirst = await noteCodeUse(tx, { userId, codeHash, id, ...times });
      if (!isFirst) await deleteSession(tx, userId, sessionId);
      return isFirst;
    });
  }

  #actorOf(sessionId: SessionId, userId: UserId): UserActor | Promise<UserActor> {
    return this.#parts.sessionCache.actorOf(sessionId, userId);
  }

  async #end(user: UserActor, id: SessionId): Promise<boolean> {
    return await this.#announced(user.id, async (tx) => {
      if (!(await deleteSession(tx, user.id, id))) return false;
      await this.#record(tx, user, id === user.sessionId ? 'session.logout' : 'session.revoke', id);
      return true;
    });
  }

  async #record(tx: Queryable, actor: Visitor, action: AuditAction, id: SessionId): Promise<void> {
    await record(tx, this.#parts.clock, actor, { action, resource: { type: 'session', id } });
  }

  async #announced<Result>(userId: UserId, work: (tx: Queryable) => Promise<Result>): Promise<Result> {
    const result = await this.#parts.transaction(async (tx) => {
      const done = await work(tx);
      await announcePerson(tx, userId);
      return done;
    });
    this.#parts.sessionCache.invalidate(userId);
    return result;
  }

  async #loggedIn(made: { userId: UserId; sessionId: SessionId; refreshToken: string }): Promise<LoggedIn> {
    const user = await findUser(this.#parts.db, made.userId);
    if (!user) throw new CarcosaError('unauthenticated');
    const tokens: SessionTokens = {
      accessToken: await this.#parts.accessTokens.sign(made.userId, made.sessionId),
      refreshToken: made.refreshToken,
      tokenType: 'Bearer',
      expiresIn: ACCESS_TOKEN_SECONDS,
      refreshExpiresIn: REFRESH_TOKEN_SECONDS,
    };
    return { user: toUser(user), sessionId: made.sessionId, ...tokens };
  }
}
