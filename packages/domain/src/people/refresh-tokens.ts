import { createHmac, hash, hkdfSync } from 'node:crypto';
import {
  announcePerson,
  deleteSession,
  extendSession,
  findRefreshTokenUse,
  insertRefreshToken,
  lockRefreshToken,
  markRefreshTokenUsed,
  type Queryable,
  type RefreshTokenRow,
} from '@carcosa/database';
import { CarcosaError, type Clock, type Random, randomToken, type SessionId, type UserId } from '@carcosa/kernel';
import { record } from '../audit/record.ts';
import { known, type Visitor, type Whence, whenceOf } from './visitor.ts';

/** Seconds that a refresh token serves, and a session lasts after its last refresh. */
export const REFRESH_TOKEN_SECONDS = 7 * 24 * 3600;
/** Milliseconds in which the same client may repeat a refresh whose answer it did not get. */
const REPEAT_MS = 10_000;

const PREFIX = 'rt_';
const TOKEN = /^rt_[0-9A-Za-z_-]{43}$/;

export interface Refreshed {
  userId: UserId;
  sessionId: SessionId;
  refreshToken: string;
}

/** What came of a token: the next one; the end of its session, because it was used before; or nothing. */
type Exchange = Refreshed | { endedUserId: UserId } | null;

export interface RefreshTokensParts {
  /** The root secret. */
  secret: Uint8Array;
  clock: Clock;
  random: Random;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  /** Told whose session was ended by a token that came twice. Other nodes hear of it by themselves. */
  onEnd: (userId: UserId) => void;
}

/**
 * Refresh tokens, of which each serves once. Only their SHA-256 is stored. One that comes a second time ends its session, for either
 * its thief or its owner came first, and nobody can tell which (RFC 9700, 4.14.2). The one exception is a repetition within seconds
 * by the same client of a refresh whose answer was lost: the next token is an HMAC of this one, so that the same is given again.
 */
export class RefreshTokens {
  readonly #parts: RefreshTokensParts;
  readonly #key: Uint8Array;

  constructor(parts: RefreshTokensParts) {
    this.#parts = parts;
    this.#key = new Uint8Array(hkdfSync('sha256', parts.secret, '', 'carcosa/refresh-tokens', 32));
  }

  /** The first token of a session that was just made. */
  async issue(tx: Queryable, sessionId: SessionId): Promise<string> {
    const token = PREFIX + randomToken(this.#parts.random, 43);
    await this.#store(tx, token, sessionId);
    return token;
  }

  /**
   * Exchanges a token for the next one and lets its session last seven days from now.
   * @throws CarcosaError `unauthenticated` for one that is unknown, expired, or was used before; the last ends the session
   */
  async rotate(visitor: Visitor, token: string): Promise<Refreshed> {
    if (!TOKEN.test(token)) throw new CarcosaError('unauthenticated');
    // The end of a session must be committed: it is told, not thrown, inside of the transaction.
    const done = await this.#parts.transaction((tx) => this.#rotate(tx, visitor, token));
    if (done && 'refreshToken' in done) return done;
    if (done) this.#parts.onEnd(done.endedUserId);
    throw new CarcosaError('unauthenticated');
  }

  /** The session that a token belongs to, whether it was used or not; null when there is none. */
  async sessionOf(tx: Queryable, token: string): Promise<{ sessionId: SessionId; userId: UserId } | null> {
    return TOKEN.test(token) ? await lockRefreshToken(tx, sha256(token)) : null;
  }

  async #rotate(tx: Queryable, visitor: Visitor, token: string): Promise<Exchange> {
    const now = new Date(this.#parts.clock.now());
    const row = await lockRefreshToken(tx, sha256(token));
    if (!row || row.expiresAt <= now) return null;
    const { userId, sessionId } = row;
    const next = this.#next(token);
    const whence = whenceOf(visitor);
    if (row.usedAt) {
      if (await this.#isRepetition(tx, row, next, whence)) return { userId, sessionId, refreshToken: next };
      await deleteSession(tx, userId, sessionId);
      await announcePerson(tx, userId);
      await this.#record(tx, visitor, row, 'session.reuse-detected');
      return { endedUserId: userId };
    }
    await markRefreshTokenUsed(tx, sha256(token), now);
    const expiresAt = await this.#store(tx, next, sessionId);
    await extendSession(tx, sessionId, { expiresAt, now, ...whence });
    await this.#record(tx, visitor, row, 'session.refresh');
    return { userId, sessionId, refreshToken: next };
  }

  /** The same client again, at once, and what it got has not been used: its answer was lost, or two of its tabs came together. */
  async #isRepetition(tx: Queryable, row: RefreshTokenRow, next: string, whence: Whence): Promise<boolean> {
    const age = this.#parts.clock.now() - (row.usedAt?.getTime() ?? 0);
    if (age > REPEAT_MS || row.ipAddress !== whence.ipAddress || row.userAgent !== whence.userAgent) return false;
    const following = await findRefreshTokenUse(tx, sha256(next));
    return following !== null && following.usedAt === null;
  }

  async #record(
    tx: Queryable,
    visitor: Visitor,
    { userId, sessionId }: RefreshTokenRow,
    action: 'session.refresh' | 'session.reuse-detected',
  ): Promise<void> {
    const resource = { type: 'session', id: sessionId } as const;
    await record(tx, this.#parts.clock, known(visitor, userId, sessionId), { action, resource });
  }

  #next(token: string): string {
    return PREFIX + createHmac('sha256', this.#key).update(token).digest('base64url');
  }

  async #store(tx: Queryable, token: string, sessionId: SessionId): Promise<Date> {
    const now = this.#parts.clock.now();
    const expiresAt = new Date(now + REFRESH_TOKEN_SECONDS * 1000);
    await insertRefreshToken(tx, { hash: sha256(token), sessionId, expiresAt, createdAt: new Date(now) });
    return expiresAt;
  }
}

const sha256 = (token: string): Buffer => hash('sha256', token, 'buffer');
