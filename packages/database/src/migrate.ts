import { fileURLToPath } from 'node:url';
import { CarcosaError, isCarcosaError, type Logger } from '@carcosa/kernel';
import pg from 'pg';
import { migrationFiles, migrator, nodePostgres } from './drivers/drizzle.ts';
import type { Database } from './drivers/open-database.ts';
import { CONNECTION_DEFAULTS } from './drivers/pool.ts';
import { sqlStateOf, toDatabaseError } from './errors.ts';

/** The migrations of this package: they stand beside `src` as beside `dist`. */
const MIGRATIONS_DIRECTORY = fileURLToPath(new URL('../migrations', import.meta.url));

/** The advisory lock of whoever migrates. Any number would do; this one spells "carcosa" on the keys of a telephone. */
const MIGRATION_LOCK = 2272672;
const UNDEFINED_TABLE = '42P01';
const INSUFFICIENT_PRIVILEGE = '42501';

export interface MigrateOptions {
  readonly logger: Logger;
  /** Where the journal and the SQL files are. Default: those of this package. */
  readonly directory?: string;
}

/**
 * Brings the tables of the database to what this program expects; one query when they are. All missing migrations take
 * effect together or not at all. Several nodes may start at once: one migrates, the others wait for it.
 *
 * @throws CarcosaError `configuration_invalid` when a newer program has migrated the database, or its user may not create
 * tables; what the database's error means when a migration fails.
 */
export async function migrate(
  database: Pick<Database, 'pool' | 'connectionString'>,
  options: MigrateOptions,
): Promise<void> {
  const directory = options.directory ?? MIGRATIONS_DIRECTORY;
  const newest = migrationFiles().readMigrationFiles({ migrationsFolder: directory }).at(-1)?.folderMillis ?? 0;
  try {
    if ((await lastApplied(database.pool, newest)) < newest)
      await migrateLocked(database.connectionString, { ...options, directory, newest });
  } catch (error) {
    throw explain(error);
  }
}

/**
 * The time stamp of the last migration that the database has had, in milliseconds; 0 when none.
 * @throws CarcosaError `configuration_invalid` when it is none of ours.
 */
async function lastApplied(db: pg.Pool | pg.Client, newest: number): Promise<number> {
  const last = await readLast(db);
  if (last <= newest) return last;
  throw new CarcosaError('configuration_invalid', {
    message:
      'The database was migrated by a newer Carcosa than this one: start that version, or restore a backup from before.',
  });
}

async function readLast(db: pg.Pool | pg.Client): Promise<number> {
  try {
    const { rows } = await db.query<{ last: number | null }>(
      'select max(created_at) as last from drizzle.__drizzle_migrations',
    );
    return rows[0]?.last ?? 0;
  } catch (error) {
    if (sqlStateOf(error) === UNDEFINED_TABLE) return 0;
    throw error;
  }
}

async function migrateLocked(
  connectionString: string,
  { logger, directory, newest }: Required<MigrateOptions> & { newest: number },
): Promise<void> {
  // A connection of its own: the lock ends with it, and a migration of a large table may take longer than a query may.
  const client = new pg.Client({ ...CONNECTION_DEFAULTS, connectionString });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    if ((await lastApplied(client, newest)) === newest) return;
    await migrator().migrate(nodePostgres().drizzle(client), { migrationsFolder: directory });
    logger.info({}, 'The database was migrated');
  } finally {
    await client.end();
  }
}

function explain(error: unknown): CarcosaError {
  if (isCarcosaError(error)) return error;
  if (sqlStateOf(error) === INSUFFICIENT_PRIVILEGE) {
    return new CarcosaError('configuration_invalid', {
      message:
        'The user of DATABASE_URL may not create tables: grant it CREATE on the database and on its schema public.',
      cause: error,
    });
  }
  const meaning = toDatabaseError(error);
  return new CarcosaError(meaning.code, {
    message: `Migrating the database failed, and nothing was changed: ${reason(error)}`,
    retryable: meaning.retryable,
    cause: error,
  });
}

/** What the server said; Drizzle wraps it into the whole statement. */
function reason(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return inner instanceof Error ? (inner.message.split('\n')[0] ?? '') : String(inner);
}
