import { join } from 'node:path';
import {
  API_KEYS_CHANNEL,
  type Database,
  Listener,
  migrate,
  openDatabase,
  PROJECTS_CHANNEL,
  type Queryable,
  transaction,
} from '@carcosa/database';
import { ApiKeyService, IdempotencyService, ProjectService, ProvisioningService } from '@carcosa/domain';
import { type Clock, IdGenerator, type Logger, type Random, systemClock, systemRandom } from '@carcosa/kernel';
import { BucketStores } from './bucket-stores.ts';
import { composeUploads } from './compose-uploads.ts';
import type { ServerConfig } from './config.ts';
import { HealthService } from './health.ts';
import { PostgresNotifications } from './postgres-notifications.ts';

/** What the edges (HTTP, tus, workers) are given: services and the few things that every edge needs. */
export type Carcosa = Awaited<ReturnType<typeof compose>>;

export interface ComposeInput {
  config: ServerConfig;
  logger: Logger;
  /** Where one line for each request goes; null: nowhere. */
  requestLog: Logger | null;
  /** The root secret. */
  secret: string;
  /** The address that clients see, without a "/" at its end. */
  publicUrl: string;
  version: string;
  /** Told what is being done, for a person who waits. */
  progress?: (step: 'database' | 'migrations') => void;
  clock?: Clock;
  random?: Random;
}

/**
 * Puts the program together: the only place that calls `new` on adapters and services. When it resolves, the database is
 * open and migrated; nothing runs in the background yet but the connection that listens for announcements.
 */
export async function compose(input: ComposeInput) {
  const { config, logger, progress, clock = systemClock, random = systemRandom } = input;
  const ids = new IdGenerator(clock, random);
  progress?.('database');
  const database = await openDatabase({
    url: config.databaseUrl,
    directory: join(config.dataDir, 'database'),
    poolSize: config.databasePoolSize,
    logger,
    clock,
  });
  try {
    progress?.('migrations');
    await migrate(database, { logger });
    return composeServices({ ...input, clock, random }, ids, database);
  } catch (error) {
    await database.close();
    throw error;
  }
}

function composeServices(input: ComposeInput & { clock: Clock; random: Random }, ids: IdGenerator, database: Database) {
  const { config, logger, requestLog, publicUrl, version, clock, random } = input;
  const db: Queryable = database.pool;
  const inTransaction = <Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result> => transaction(database.pool, work);

  const listener = new Listener({ connectionString: database.connectionString, logger });
  const notifications = new PostgresNotifications({ db, listener });
  const stores = new BucketStores({ db, dataDir: config.dataDir, s3: config.s3 });

  const apiKeys = new ApiKeyService({ db, clock, random, ids });
  notifications.subscribe(
    API_KEYS_CHANNEL,
    ({ publicId }) => apiKeys.invalidate(typeof publicId === 'string' ? publicId : undefined),
    () => apiKeys.invalidate(),
  );
  const projects = new ProjectService({ db, clock });
  notifications.subscribe(
    PROJECTS_CHANNEL,
    ({ projectId }) => projects.invalidate(typeof projectId === 'string' ? projectId : undefined),
    () => projects.invalidate(),
  );
  const idempotency = new IdempotencyService({ db });
  const provisioning = new ProvisioningService({ transaction: inTransaction, ids, apiKeys });
  const health = new HealthService({ db, stores });

  /** Names this process among all that share the database. */
  const instance = ids.next('request');
  const uploadParts = composeUploads({
    ...{ db, stores, projects, notifications, clock, ids, random, logger, publicUrl, instance },
    secret: input.secret,
    transaction: inTransaction,
    hashLater: async () => {},
  });

  return {
    config,
    version,
    publicUrl,
    clock,
    ids,
    random,
    logger,
    requestLog,
    database,
    notifications,
    stores,
    apiKeys,
    projects,
    idempotency,
    provisioning,
    health,
    instance,
    ...uploadParts,
    garbage: { collect: async () => ({ uploads: await uploadParts.uploadCollector.collect(), objects: 0 }) },
    /** Ends what holds connections and files. Requests must have ended before. */
    async close(): Promise<void> {
      await uploadParts.leases.close();
      await stores.close();
      await listener.close();
      await database.close();
    },
  };
}
