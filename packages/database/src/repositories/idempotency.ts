import type { Queryable } from './queryable.ts';

export interface IdempotencyRow {
  fingerprint: Buffer | null;
  done: boolean;
  status: number | null;
  headers: Record<string, string> | null;
  body: string | null;
  /** Milliseconds until the first request loses its claim; not above 0 when it has. */
  lockedFor: number;
}

export interface IdempotencyClaim {
  scope: string;
  key: string;
  fingerprint: Buffer | null;
  /** How long the claim holds without being extended, in milliseconds. */
  lockMs: number;
  /** How long the answer is kept, in milliseconds. */
  keepMs: number;
}

const MILLISECONDS = (parameter: string) => `${parameter}::bigint * interval '1 millisecond'`;

/**
 * Takes the key if it is new, expired, or left behind by a request that died. Times are the database's, which all nodes share.
 * @returns the end of the claim as text, which is also the proof of owning it, or null when another request holds or held it
 */
export async function claimIdempotencyKey(db: Queryable, claim: IdempotencyClaim): Promise<string | null> {
  const { rows } = await db.query<{ lockedUntil: string }>({
    name: 'claim-idempotency-key',
    text: `insert into idempotency_keys as k (scope, key, fingerprint, locked_until, expires_at)
      values ($1, $2, $3, clock_timestamp() + ${MILLISECONDS('$4')}, clock_timestamp() + ${MILLISECONDS('$5')})
      on conflict (scope, key) do update set fingerprint = excluded.fingerprint, status = null, headers = null, body = null,
        done = false, locked_until = excluded.locked_until, expires_at = excluded.expires_at
      where k.expires_at <= clock_timestamp()
        or (not k.done and k.locked_until <= clock_timestamp()
          and (k.fingerprint is null or excluded.fingerprint is null or k.fingerprint = excluded.fingerprint))
      returning locked_until::text as "lockedUntil"`,
    values: [claim.scope, claim.key, claim.fingerprint, claim.lockMs, claim.keepMs],
  });
  return rows[0]?.lockedUntil ?? null;
}

export async function findIdempotencyKey(db: Queryable, scope: string, key: string): Promise<IdempotencyRow | null> {
  const { rows } = await db.query<IdempotencyRow>(
    `select fingerprint, done, status, headers, body,
       (extract(epoch from locked_until - clock_timestamp()) * 1000)::float8 as "lockedFor"
     from idempotency_keys where scope = $1 and key = $2`,
    [scope, key],
  );
  return rows[0] ?? null;
}

/** What identifies a claim: its key and the end that {@link claimIdempotencyKey} returned. */
export interface HeldClaim {
  scope: string;
  key: string;
  lockedUntil: string;
}

const OWNED = 'scope = $1 and key = $2 and locked_until = $3::timestamptz and not done';

/** Moves the end of a claim; null when it was lost meanwhile. */
export async function extendIdempotencyClaim(db: Queryable, held: HeldClaim, lockMs: number): Promise<string | null> {
  const { rows } = await db.query<{ lockedUntil: string }>(
    `update idempotency_keys set locked_until = clock_timestamp() + ${MILLISECONDS('$4')} where ${OWNED}
     returning locked_until::text as "lockedUntil"`,
    [held.scope, held.key, held.lockedUntil, lockMs],
  );
  return rows[0]?.lockedUntil ?? null;
}

export interface IdempotentAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Keeps the answer; false when the claim was lost meanwhile. */
export async function keepIdempotentAnswer(
  db: Queryable,
  held: HeldClaim,
  answer: IdempotentAnswer,
  fingerprint: Buffer | null,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update idempotency_keys set done = true, status = $4, headers = $5, body = $6, fingerprint = coalesce($7, fingerprint) where ${OWNED}`,
    [held.scope, held.key, held.lockedUntil, answer.status, answer.headers, answer.body, fingerprint],
  );
  return rowCount === 1;
}

export async function releaseIdempotencyClaim(db: Queryable, held: HeldClaim): Promise<void> {
  await db.query(`delete from idempotency_keys where ${OWNED}`, [held.scope, held.key, held.lockedUntil]);
}

/** @returns how many were removed */
export async function deleteExpiredIdempotencyKeys(db: Queryable): Promise<number> {
  const { rowCount } = await db.query('delete from idempotency_keys where expires_at <= clock_timestamp()');
  return rowCount ?? 0;
}
