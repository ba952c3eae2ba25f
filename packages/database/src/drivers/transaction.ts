import { setTimeout as delay } from 'node:timers/promises';
import { type Random, systemRandom } from '@carcosa/kernel';
import type { Pool, PoolClient } from 'pg';
import { isDatabaseError, sqlStateOf, toDatabaseError } from '../errors.ts';

export interface TransactionOptions {
  /** Default: that of the server, read committed. */
  readonly isolation?: 'repeatable read' | 'serializable';
  /** How often it is tried in all when it meets another transaction; default 5. */
  readonly attempts?: number;
  readonly random?: Random;
}

/** serialization_failure and deadlock_detected: the server undid it all and asks for the same again. */
const RETRIED_STATES = new Set(['40001', '40P01']);
const DEFAULT_ATTEMPTS = 5;
const FIRST_PAUSE = 10;

/**
 * Runs `work` in a transaction: committed when it resolves, rolled back when it rejects. When the server undoes it because
 * it met another one, all of `work` runs again, after a pause of 10 to 20 ms that doubles: `work` must change nothing but
 * the database. A connection that breaks during the commit is not retried, for nobody knows whether it took place.
 *
 * @throws CarcosaError what the error means (see {@link toDatabaseError}); errors of `work` that are not the database's
 * come through as they are.
 */
export async function transaction<Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
  options: TransactionOptions = {},
): Promise<Result> {
  const attempts = options.attempts ?? DEFAULT_ATTEMPTS;
  for (let attempt = 1; ; attempt++) {
    try {
      return await runOnce(pool, work, options);
    } catch (error) {
      if (attempt >= attempts || !RETRIED_STATES.has(sqlStateOf(error) ?? '')) throw error;
    }
    await delay(pauseBefore(attempt, options.random ?? systemRandom));
  }
}

/** Milliseconds; by chance, so that two which met do not meet again. */
function pauseBefore(attempt: number, random: Random): number {
  const share = (random.bytes(1)[0] ?? 0) / 255;
  return FIRST_PAUSE * 2 ** (attempt - 1) * (1 + share);
}

async function runOnce<Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
  options: TransactionOptions,
): Promise<Result> {
  const client = await pool.connect().catch(rethrow);
  let broken = false;
  try {
    await client.query(options.isolation === undefined ? 'begin' : `begin isolation level ${options.isolation}`);
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    // A connection on which even this fails must not go back to the pool with a transaction open.
    await client.query('rollback').catch(() => {
      broken = true;
    });
    return rethrow(error);
  } finally {
    client.release(broken);
  }
}

function rethrow(error: unknown): never {
  throw isDatabaseError(error) ? toDatabaseError(error) : error;
}
