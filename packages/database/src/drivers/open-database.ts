import { setTimeout as delay } from 'node:timers/promises';
import { CarcosaError, type Clock, type Histogram, type Logger, systemClock } from '@carcosa/kernel';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Pool } from 'pg';
import { sqlStateOf } from '../errors.ts';
import { nodePostgres } from './drizzle.ts';
import { startEmbeddedPostgres } from './embedded/supervisor.ts';
import { createPool } from './pool.ts';
import { measureUse } from './pool-use.ts';
import { explainUnreachable } from './unreachable.ts';

export interface DatabaseOptions {
  /** DATABASE_URL. Absent: the embedded PostgreSQL. */
  readonly url?: string | undefined;
  /** Where the embedded PostgreSQL lives; made at first use, not touched when `url` is given. */
  readonly directory: string;
  /** Most connections of the pool; default 10. */
  readonly poolSize?: number | undefined;
  /** Milliseconds after which the server ends a statement of the pool; default 30,000. */
  readonly statementTimeout?: number | undefined;
  readonly logger: Logger;
  readonly clock?: Clock;
}

export interface Database {
  readonly kind: 'embedded' | 'postgres';
  readonly pool: Pool;
  /** Seconds that queries and transactions had a connection of the pool. */
  readonly use: Histogram;
  /** The same pool through Drizzle, which is loaded when this is first read. */
  readonly db: NodePgDatabase;
  /** For what needs connections of its own: jobs, listeners, migrations. Holds the password. */
  readonly connectionString: string;
  /** Ends the pool, waiting up to 10 s for queries that run, and stops the server if it is ours. */
  close(): Promise<void>;
}

const OLDEST_VERSION = 15;
const DRAIN_LIMIT = 10_000;
const DRAIN_POLL = 5;
/** A server that is starting, or recovers after a crash, is waited for. */
const STARTING_ATTEMPTS = 100;
const STARTING_PAUSE = 300;
const CANNOT_CONNECT_NOW = '57P03';

interface Server {
  readonly kind: Database['kind'];
  readonly connectionString: string;
  stop(): Promise<void>;
}

/**
 * Opens the database: the server at `url`, or an embedded one that is started. Does not migrate.
 *
 * @throws CarcosaError `database_unavailable` when it cannot be reached, `configuration_invalid` when it is not one that we
 * can use. The message is one line that says what to do.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const server = options.url === undefined ? await startServer(options) : existingServer(options.url);
  const { poolSize: size, statementTimeout, logger } = options;
  let pool: Pool | undefined;
  try {
    pool = createPool({ connectionString: server.connectionString, size, statementTimeout, logger });
    await checkServer(pool);
  } catch (error) {
    await pool?.end();
    await server.stop();
    throw explainUnreachable(error, server.connectionString);
  }
  const opened = pool;
  const use = measureUse(pool);
  let db: NodePgDatabase | undefined;
  return {
    kind: server.kind,
    pool,
    use,
    get db() {
      db ??= nodePostgres().drizzle(opened);
      return db;
    },
    connectionString: server.connectionString,
    close: closeOnce(pool, server),
  };
}

async function startServer({ directory, logger, clock = systemClock }: DatabaseOptions): Promise<Server> {
  const embedded = await startEmbeddedPostgres({ directory, logger, clock });
  return { kind: 'embedded', connectionString: embedded.connectionString, stop: () => embedded.stop() };
}

const existingServer = (connectionString: string): Server => ({
  kind: 'postgres',
  connectionString,
  stop: async () => {},
});

/** @throws CarcosaError `configuration_invalid` for a server that is too old or only to be read. */
async function checkServer(pool: Pool): Promise<void> {
  const { version, is_replica } = await askServer(pool);
  const major = Math.floor(Number(version) / 10_000);
  if (major < OLDEST_VERSION) {
    throw new CarcosaError('configuration_invalid', {
      message: `The server at DATABASE_URL is PostgreSQL ${major}; Carcosa needs ${OLDEST_VERSION} or later: upgrade it, or unset DATABASE_URL to use the embedded one.`,
    });
  }
  if (is_replica) {
    throw new CarcosaError('configuration_invalid', {
      message: 'The server at DATABASE_URL is a replica that can only be read: set DATABASE_URL to its primary.',
    });
  }
}

async function askServer(pool: Pool): Promise<{ version: string; is_replica: boolean }> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { rows } = await pool.query<{ version: string; is_replica: boolean }>(
        `select current_setting('server_version_num') as version, pg_is_in_recovery() as is_replica`,
      );
      return rows[0] as { version: string; is_replica: boolean };
    } catch (error) {
      if (sqlStateOf(error) !== CANNOT_CONNECT_NOW || attempt === STARTING_ATTEMPTS) throw error;
      await delay(STARTING_PAUSE);
    }
  }
}

/** Whoever closes twice waits for the same end. */
function closeOnce(pool: Pool, server: Server): () => Promise<void> {
  let closing: Promise<void> | undefined;
  return () => {
    closing ??= endPool(pool).then(() => server.stop());
    return closing;
  };
}

/** A connection that somebody never gave back must not keep the server from stopping. */
async function endPool(pool: Pool): Promise<void> {
  const drained = new AbortController();
  const limit = delay(DRAIN_LIMIT, undefined, { signal: drained.signal }).catch(() => {});
  await Promise.race([drain(pool), limit]);
  drained.abort();
}

async function drain(pool: Pool): Promise<void> {
  // A pool that ends forgets those who wait for a connection.
  while (pool.waitingCount > 0) await delay(DRAIN_POLL);
  await pool.end();
}
