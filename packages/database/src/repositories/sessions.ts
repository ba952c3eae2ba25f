import type { SessionId, UserId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

export interface SessionRow {
  id: SessionId;
  userId: UserId;
  ipAddress: string | null;
  userAgent: string | null;
  createdAt: Date;
  /** When it was last refreshed. */
  updatedAt: Date;
  expiresAt: Date;
}

const SESSION = `id, user_id as "userId", ip_address as "ipAddress", user_agent as "userAgent", created_at as "createdAt",
  updated_at as "updatedAt", expires_at as "expiresAt"`;

/** @param token of the library that made the session; it never leaves the server */
export async function findSessionByToken(db: Queryable, token: string): Promise<SessionRow | null> {
  const { rows } = await db.query<SessionRow>(`select ${SESSION} from sessions where token = $1`, [token]);
  return rows[0] ?? null;
}

/** What the library knows the session by; null when it has ended. */
export async function findSessionToken(db: Queryable, id: SessionId): Promise<string | null> {
  const { rows } = await db.query<{ token: string }>('select token from sessions where id = $1', [id]);
  return rows[0]?.token ?? null;
}

/** Sessions in force, the one that was used last first. */
export async function listSessions(db: Queryable, userId: UserId, now: Date): Promise<SessionRow[]> {
  const { rows } = await db.query<SessionRow>(
    `select ${SESSION} from sessions where user_id = $1 and expires_at > $2 order by updated_at desc, id desc`,
    [userId, now],
  );
  return rows;
}

/** Ends one session of that person, with its refresh tokens. False when she has no such session. */
export async function deleteSession(tx: Queryable, userId: UserId, id: SessionId): Promise<boolean> {
  const { rowCount } = await tx.query('delete from sessions where id = $1 and user_id = $2', [id, userId]);
  return rowCount === 1;
}

/** Ends all sessions of that person but one; null ends all. @returns which */
export async function deleteOtherSessions(tx: Queryable, userId: UserId, kept: SessionId | null): Promise<SessionId[]> {
  const { rows } = await tx.query<{ id: SessionId }>(
    'delete from sessions where user_id = $1 and id is distinct from $2 returning id',
    [userId, kept],
  );
  return rows.map(({ id }) => id);
}

export interface RefreshTokenRow {
  sessionId: SessionId;
  userId: UserId;
  usedAt: Date | null;
  expiresAt: Date;
  /** Where the session was last refreshed from. */
  ipAddress: string | null;
  userAgent: string | null;
}

/** The token and its session, which no other transaction can refresh or end meanwhile. */
export async function lockRefreshToken(tx: Queryable, hash: Uint8Array): Promise<RefreshTokenRow | null> {
  const { rows } = await tx.query<RefreshTokenRow>(
    `select t.session_id as "sessionId", s.user_id as "userId", t.used_at as "usedAt", t.expires_at as "expiresAt",
       s.ip_address as "ipAddress", s.user_agent as "userAgent"
     from refresh_tokens t join sessions s on s.id = t.session_id where t.hash = $1 for update of s, t`,
    [hash],
  );
  return rows[0] ?? null;
}

/** Whether the token that followed has been exchanged itself; null when there is none. */
export async function findRefreshTokenUse(tx: Queryable, hash: Uint8Array): Promise<{ usedAt: Date | null } | null> {
  const { rows } = await tx.query<{ usedAt: Date | null }>(
    'select used_at as "usedAt" from refresh_tokens where hash = $1',
    [hash],
  );
  return rows[0] ?? null;
}

export async function insertRefreshToken(
  tx: Queryable,
  row: { hash: Uint8Array; sessionId: SessionId; expiresAt: Date; createdAt: Date },
): Promise<void> {
  await tx.query('insert into refresh_tokens (hash, session_id, expires_at, created_at) values ($1, $2, $3, $4)', [
    row.hash,
    row.sessionId,
    row.expiresAt,
    row.createdAt,
  ]);
}

export async function markRefreshTokenUsed(tx: Queryable, hash: Uint8Array, usedAt: Date): Promise<void> {
  await tx.query('update refresh_tokens set used_at = $2 where hash = $1', [hash, usedAt]);
}

/** Lets the session last until then, and keeps from where it was refreshed. */
export async function extendSession(
  tx: Queryable,
  id: SessionId,
  change: { expiresAt: Date; now: Date; ipAddress: string | null; userAgent: string | null },
): Promise<void> {
  await tx.query(
    'update sessions set expires_at = $2, updated_at = $3, ip_address = $4, user_agent = $5 where id = $1',
    [id, change.expiresAt, change.now, change.ipAddress, change.userAgent],
  );
}

/** Removes sessions, refresh tokens and links whose time is over. */
export async function deleteExpiredSessions(db: Queryable, now: Date): Promise<void> {
  await db.query('delete from sessions where expires_at <= $1', [now]);
  await db.query('delete from refresh_tokens where expires_at <= $1', [now]);
  await db.query('delete from verifications where expires_at <= $1', [now]);
}

/**
 * Notes that somebody's one-time code was used, until it would not be right any more. False when it was used before. Two who bring
 * the same code at once wait for each other.
 */
export async function noteCodeUse(
  tx: Queryable,
  use: { userId: UserId; codeHash: string; id: string; now: Date; until: Date },
): Promise<boolean> {
  await tx.query('select 1 from users where id = $1 for update', [use.userId]);
  const identifier = `code-use:${use.userId}:${use.codeHash}`;
  const { rowCount } = await tx.query(
    `insert into verifications (id, identifier, value, expires_at, created_at, updated_at)
     select $1, $2, '', $3, $4, $4 where not exists (select 1 from verifications where identifier = $2 and expires_at > $4)`,
    [use.id, identifier, use.until, use.now],
  );
  return rowCount === 1;
}
