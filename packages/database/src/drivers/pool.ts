import type { Logger } from '@carcosa/kernel';
import pg from 'pg';

/** @throws RangeError beyond 2^53, where a number would silently become another one; the query is rejected with it. */
function parseInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`The number ${text} is too large to be exact`);
  return value;
}

// Sizes, counts and sequences are below 2^53. For all of the process: Drizzle asks the driver's table, not the pool's.
pg.types.setTypeParser(pg.types.builtins.INT8, parseInteger);

export interface PoolOptions {
  readonly connectionString: string;
  /** Most connections at once; default 10. */
  readonly size?: number;
  readonly logger: Logger;
  /** Milliseconds after which the server ends a statement; default 30,000. */
  readonly statementTimeout?: number;
}

const DEFAULT_SIZE = 10;
const STATEMENT_TIMEOUT = 30_000;
const CONNECTION_TIMEOUT = 10_000;

/** What every connection of this program has in common. */
export const CONNECTION_DEFAULTS = {
  application_name: 'carcosa',
  keepAlive: true,
  // A server that vanished without a word is noticed by this; the system's default is two hours.
  keepAliveInitialDelayMillis: 10_000,
  connectionTimeoutMillis: CONNECTION_TIMEOUT,
} as const;

/**
 * A pool that outlives its server: a connection that breaks is logged and replaced at the next query; it never ends the
 * process.
 */
export function createPool({
  connectionString,
  size,
  logger,
  statementTimeout = STATEMENT_TIMEOUT,
}: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    ...CONNECTION_DEFAULTS,
    connectionString,
    max: size ?? DEFAULT_SIZE,
    // Two stay open, so that a quiet server answers its next request without a hand-shake.
    min: Math.min(2, size ?? DEFAULT_SIZE),
    idleTimeoutMillis: 60_000,
    statement_timeout: statementTimeout,
    // A transaction that a bug left open would hold its locks for ever.
    idle_in_transaction_session_timeout: 2 * statementTimeout,
    // The server ends a statement before this; only a server that no longer answers is cut off by it.
    query_timeout: statementTimeout + 5_000,
  });
  pool.on('error', (error) => {
    // What we close ourselves may still hear that the server stops.
    if (!pool.ending) logger.warn({ error }, 'A connection to the database was lost');
  });
  // The pool listens to idle connections only: one that breaks while in use would end the process. Its query rejects.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}
