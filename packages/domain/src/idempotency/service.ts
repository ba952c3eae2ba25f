import { timingSafeEqual } from 'node:crypto';
import {
  claimIdempotencyKey,
  deleteExpiredIdempotencyKeys,
  extendIdempotencyClaim,
  findIdempotencyKey,
  type HeldClaim,
  type IdempotencyRow,
  type IdempotentAnswer,
  keepIdempotentAnswer,
  type Queryable,
  releaseIdempotencyClaim,
} from '@carcosa/database';
import { CarcosaError } from '@carcosa/kernel';
import { type Actor, actorId } from '../access/actor.ts';

/** Milliseconds that a claim holds without being extended: a crashed request blocks its key for no longer. */
export const IDEMPOTENCY_LOCK_MS = 60_000;
/** Milliseconds for which an answer is replayed: 24 hours, as at Stripe. */
export const IDEMPOTENCY_KEEP_MS = 24 * 60 * 60 * 1000;

const KEY = /^[\x21-\x7e]{1,255}$/;
// Answers that another try may change: time-outs, conflicts and locks of the moment, limits.
const PASSING = new Set([408, 409, 423, 425, 429]);
// So may what somebody removes, or a new month.
const PASSING_ERROR = /^\{"error":"quota_exceeded"/;

export type { IdempotentAnswer } from '@carcosa/database';

/** The right to answer for a key; hand it to `finish` or `abandon`. */
export type IdempotencyLease = HeldClaim;

/** What {@link IdempotencyService.begin} found. */
export type Begun =
  /** The first request with this key: do the work. */
  | { lease: IdempotencyLease; replay?: undefined }
  /**
   * Answered before. Where the fingerprint was not known yet, read the body and call `assertSame` before replaying.
   */
  | { lease?: undefined; replay: IdempotentAnswer; assertSame: (fingerprint: Buffer) => void };

const isFinal = ({ status, body }: IdempotentAnswer): boolean =>
  (status >= 200 && status < 300) ||
  (status >= 400 && status < 500 && !PASSING.has(status) && !PASSING_ERROR.test(body));

/**
 * The rules of `Idempotency-Key`: the same key with the same request replays the first answer for 24 hours, with another
 * request it is refused, and two at once do not both run. Every door asks this service.
 */
export class IdempotencyService {
  readonly #db: Queryable;

  constructor(parts: { db: Queryable }) {
    this.#db = parts.db;
  }

  /**
   * @param scope whose keys they are: see `idempotencyScope`
   * @param fingerprint SHA-256 of what the request is; null for a streamed body, whose hash is known at its end
   * @throws CarcosaError `idempotency_key_reused`, `idempotency_in_progress`, `invalid_request` for a key of no proper form
   */
  async begin(input: { scope: string; key: string; fingerprint: Buffer | null }): Promise<Begun> {
    const { scope, key, fingerprint } = input;
    if (!KEY.test(key)) {
      throw new CarcosaError('invalid_request', {
        message: 'An Idempotency-Key has 1 to 255 visible ASCII characters.',
      });
    }
    // Twice, because the row that stood in the way may be released in between.
    for (let attempt = 0; attempt < 2; attempt++) {
      const claim = { scope, key, fingerprint, lockMs: IDEMPOTENCY_LOCK_MS, keepMs: IDEMPOTENCY_KEEP_MS };
      const lockedUntil = await claimIdempotencyKey(this.#db, claim);
      if (lockedUntil !== null) return { lease: { scope, key, lockedUntil } };
      const row = await findIdempotencyKey(this.#db, scope, key);
      if (row) return answered(row, fingerprint);
    }
    throw new CarcosaError('idempotency_in_progress', { retryAfter: 1 });
  }

  /** Holds a claim longer, for work that takes longer than {@link IDEMPOTENCY_LOCK_MS}. @throws CarcosaError `idempotency_in_progress` when it was lost */
  async extend(lease: IdempotencyLease): Promise<IdempotencyLease> {
    const lockedUntil = await extendIdempotencyClaim(this.#db, lease, IDEMPOTENCY_LOCK_MS);
    if (lockedUntil === null) throw new CarcosaError('idempotency_in_progress');
    return { ...lease, lockedUntil };
  }

  /**
   * Keeps the answer for 24 hours if it is final (2xx, and 4xx that no retry changes); otherwise frees the key.
   * `db` may be the transaction of the work itself: then the answer is kept exactly if the work is.
   */
  async finish(
    lease: IdempotencyLease,
    answer: IdempotentAnswer,
    options: { fingerprint?: Buffer; db?: Queryable } = {},
  ): Promise<void> {
    const db = options.db ?? this.#db;
    if (isFinal(answer)) {
      await keepIdempotentAnswer(db, lease, answer, options.fingerprint ?? null);
    } else await releaseIdempotencyClaim(db, lease);
  }

  /** Frees the key: the work was not done. */
  async abandon(lease: IdempotencyLease): Promise<void> {
    await releaseIdempotencyClaim(this.#db, lease);
  }

  /** Forgets answers older than 24 hours; for the collection job. @returns how many */
  async collect(): Promise<number> {
    return await deleteExpiredIdempotencyKeys(this.#db);
  }
}

function answered(row: IdempotencyRow, fingerprint: Buffer | null): Begun {
  const assertSame = (given: Buffer): void => {
    const same =
      row.fingerprint !== null && row.fingerprint.length === given.length && timingSafeEqual(row.fingerprint, given);
    if (!same) throw new CarcosaError('idempotency_key_reused');
  };
  if (fingerprint && row.fingerprint) assertSame(fingerprint);
  if (!row.done)
    throw new CarcosaError('idempotency_in_progress', { retryAfter: Math.max(1, Math.ceil(row.lockedFor / 1000)) });
  if (fingerprint) assertSame(fingerprint);
  return { replay: { status: row.status ?? 200, headers: row.headers ?? {}, body: row.body ?? '' }, assertSame };
}

/** Whose keys an actor's are: two users, two tenants, or a tenant and its project, never replay each other's answers. */
export function idempotencyScope(actor: Actor): string {
  if (actor.type === 'tenant-token') return actor.tenantId;
  if (actor.type === 'api-key') return actor.restrictions.tenantId ?? actor.projectId;
  return actorId(actor);
}
