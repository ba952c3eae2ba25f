import { join } from 'node:path';
import {
  type Database,
  dropUnfinishedParts,
  Listener,
  migrate,
  openDatabase,
  type Queryable,
  releaseAllLanes,
  releaseAllLeases,
  transaction,
} from '@carcosa/database';
import {
  Access,
  ApiKeyService,
  AuditService,
  type BucketOpeners,
  BucketStores,
  EgressMeter,
  EventService,
  FileRemoval,
  FileService,
  GarbageService,
  IdempotencyService,
  JobService,
  KeyRing,
  OperationProgress,
  openCredentials,
  ProjectFactsCache,
  ProjectService,
  ProvisioningService,
  QuotaService,
  Quotas,
  RefusalLog,
  RefusedQuotas,
  Sealer,
  ServingService,
  SigningKeys,
  TeamBuckets,
  TenantFactsCache,
} from '@carcosa/domain';
import {
  type Clock,
  IdGenerator,
  type Logger,
  noTracing,
  type ProjectId,
  type Random,
  systemClock,
  systemRandom,
  type Tracing,
} from '@carcosa/kernel';
import { JobQueue } from '@carcosa/queue';
import type { DiskWorkers } from '@carcosa/storage/adapters/local';
import { composeAlarms } from './compose-alarms.ts';
import { composeBuckets } from './compose-buckets.ts';
import { composeLimits } from './compose-limits.ts';
import { composeMedia } from './compose-media.ts';
import { composePeople } from './compose-people.ts';
import { composeRealtime } from './compose-realtime.ts';
import { composeSignedUploads } from './compose-signed-uploads.ts';
import { composeTransforms } from './compose-transforms.ts';
import { composeTree } from './compose-tree.ts';
import { composeUploads } from './compose-uploads.ts';
import { composeUsage } from './compose-usage.ts';
import { composeWebhooks } from './compose-webhooks.ts';
import type { ServerConfig } from './config.ts';
import type { FaultReporter } from './faults/fault-reporter.ts';
import { assertRoom, HealthService } from './health.ts';
import { DownloadTally } from './http/serving/download-tally.ts';
import { HotPictures } from './http/serving/hot-pictures.ts';
import { LoadGuard } from './load/load-guard.ts';
import { HttpMeter } from './metrics/http-meter.ts';
import { MetricsService } from './metrics/metrics-service.ts';
import { PostgresNotifications } from './postgres-notifications.ts';
import { RedisNotifications } from './redis-notifications.ts';
import { bucketGuard, environmentBucket, storedBucket } from './s3-buckets.ts';
import { subscribeCaches } from './subscribe-caches.ts';
import { tracedOpeners, tracedQueryable } from './tracing/traced.ts';

/** Milliseconds between two notes of when keys were last used: a crash loses what came since. */
const KEY_USE_MS = 60_000;

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
  /** Absent: nobody traces. */
  tracing?: Tracing;
  /** Told of faults by the logger; closed with the rest. */
  reporter?: FaultReporter;
  /** Milliseconds that the receiver of a webhook has; absent: 15,000. */
  webhookTimeoutMs?: number;
  /** Milliseconds that an app has for a callback; absent: 60,000. */
  callbackTimeoutMs?: number;
  /** Whether downloads, calls and pictures are counted; absent: yes. The bench compares. */
  countsUsage?: boolean;
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
    // Nobody else uses an embedded database: whoever held a lease is dead, and clients need not wait for it to lapse.
    if (database.kind === 'embedded') {
      await releaseAllLeases(database.pool);
      await releaseAllLanes(database.pool);
      await dropUnfinishedParts(database.pool);
    }
    const carcosa = composeServices({ ...input, clock, random }, ids, database);
    await carcosa.rateLimits.load();
    return carcosa;
  } catch (error) {
    await database.close();
    throw error;
  }
}

function composeServices(input: ComposeInput & { clock: Clock; random: Random }, ids: IdGenerator, database: Database) {
  const { config, logger, publicUrl, clock, random, secret, ...rest } = input;
  const { tracing = noTracing } = input;
  const seen = <Connection extends Queryable>(connection: Connection): Queryable =>
    tracing.isOn ? tracedQueryable(connection, tracing) : connection;
  const db = seen(database.pool);
  const { connectionString } = database;
  const inTransaction = <Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result> =>
    transaction(database.pool, (tx) => work(seen(tx)));
  // Names this process among all that share the database.
  const instance = ids.next('process');
  const common = { db, transaction: inTransaction, clock, random, ids, logger, publicUrl, instance };

  const listener = new Listener({ connectionString, logger });
  const notifications = new PostgresNotifications({ db, listener });
  const queue = new JobQueue({
    connectionString,
    logger,
    tracing,
    subscribe: notifications.subscribe.bind(notifications),
  });
  const sealer = new Sealer({ keyRing: new KeyRing(config.encryptionKeys, secret), random });
  const openers = bucketOpeners(config, sealer);
  const stores = new BucketStores({
    db,
    openers: tracing.isOn ? tracedOpeners(openers, tracing) : openers,
    logger,
    clock,
  });

  const apiKeys = new ApiKeyService(common);
  const signingKeys = new SigningKeys({ ...common, sealer });
  const projectFacts = new ProjectFactsCache(common);
  const access = new Access({ projects: projectFacts });
  const snapshot = <Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result> =>
    transaction(database.pool, (tx) => work(seen(tx)), { isolation: 'repeatable read' });
  const audit = new AuditService({ db, snapshot, access, projects: projectFacts });
  const events = new EventService({ db, access, publicUrl, projects: projectFacts });
  const people = composePeople({ ...common, database, secret, settings: config.people });
  const { webhookParts, sender, guard } = composeWebhooks({
    ...{ ...common, access, sealer, events, notifications, projects: projectFacts, version: rest.version },
    ...{ mailer: people.mailer },
    ...{ tracing, networks: config.webhookNetworks, webhookTimeoutMs: input.webhookTimeoutMs },
  });
  const redis = config.redisUrl
    ? new RedisNotifications({ url: config.redisUrl, otherwise: notifications, logger })
    : undefined;
  const operations = new OperationProgress({ notifications: redis ?? notifications, instance });
  const refusals = new RefusalLog({ db, clock, logger });
  const serving = new ServingService({ ...common, access, secret: Buffer.from(secret) });
  const filesChanged = (keys: string[]): void => serving.filesChanged(keys);
  const onChange = (id: string): void => {
    projectFacts.invalidate(id);
    serving.projectChanged(id);
  };
  const tenantFacts = new TenantFactsCache(common);
  const { closeLimits, ...limits } = composeLimits({
    ...{ ...common, config, projects: projectFacts, notifications, onChange },
  });
  const { rateLimits } = limits;
  const checks = {
    disk: () => assertRoom(config.dataDir),
    queue: () => queue.check(),
    redis: limits.checkRedis,
    mail: people.checkMail,
  };
  const health = new HealthService({ db, stores, checks });
  const buckets = new TeamBuckets();
  const removeLater = (tx: Queryable, what: { projectId: ProjectId; tenantId: string | null }): Promise<void> =>
    queue.enqueue(tx, 'remove-files', what);
  const projects = new ProjectService({ ...common, access, buckets, removeLater, onChange });
  const refusedQuotas = new RefusedQuotas(common);
  const onRefused = refusedQuotas.note.bind(refusedQuotas);
  const quotas = new Quotas({ ...common, projects: projectFacts, tenants: tenantFacts, onRefused });
  const usageParts = composeUsage({
    ...common,
    access,
    projects: projectFacts,
    isCounted: input.countsUsage ?? true,
    stripe: config.stripe,
  });
  const tree = composeTree({
    ...common,
    access,
    apiKeys,
    signingKeys,
    buckets,
    removeLater,
    tenantFacts,
    projectFacts,
    secret,
    config,
    ...people,
    ...limits,
    quotas,
  });
  const { tenantTokens } = tree;
  const { sessionCache } = people;
  const bucketParts = composeBuckets({ ...common, access, sealer, stores, teamBuckets: buckets, onChange });
  const { imagePool, transforms, ...transformParts } = composeTransforms({
    ...common,
    config,
    access,
    projects: projectFacts,
    serving,
    stores,
    limiter: limits.limiter,
    quotas,
    usage: usageParts.usage,
    secret,
    version: rest.version,
    onChange,
  });
  subscribeCaches(notifications, {
    apiKeys,
    signingKeys,
    projectFacts,
    tenantFacts,
    tenantTokens,
    serving,
    sessionCache,
    rateLimits,
    stores,
    transforms,
  });
  const egress = new EgressMeter(common);
  const onQuotaChange = (): void => {
    projectFacts.invalidate();
    tenantFacts.invalidate();
    serving.projectChanged();
  };
  const quotaSettings = new QuotaService({ ...common, access, onChange: onQuotaChange });
  const idempotency = new IdempotencyService(common);
  const provisioning = new ProvisioningService({ ...common, apiKeys, signingKeys });
  const jobs = new JobService({ ...common, ledger: queue.ledger });
  const hashLater = (tx: Queryable, objectId: string): Promise<void> => queue.enqueue(tx, 'hash-object', { objectId });
  const uploadParts = composeUploads({
    ...common,
    access,
    quotas,
    onChange: filesChanged,
    stores,
    projects: projectFacts,
    tenants: tenantFacts,
    notifications,
    operations,
    hashLater,
    secret,
    scans: config.clamd !== undefined,
  });
  const garbage = new GarbageService({ ...common, stores, idempotency, uploads: uploadParts.uploadCollector });
  const removal = new FileRemoval({ ...common, uploads: uploadParts.uploads });
  const files = new FileService({ ...common, access, quotas, onChange: filesChanged });
  const mediaParts = composeMedia({
    ...{ ...common, config, access, stores, queue, quotas, notifications },
    ...{ uploads: uploadParts.uploads, engine: imagePool, progress: operations },
    ...{ projects: projectFacts, files, serving, sender },
  });
  const signedParts = composeSignedUploads({
    ...{ ...common, access, signingKeys, guard, version: rest.version, stores, files, serving, notifications, queue },
    ...{ uploads: uploadParts.uploads, callbackTimeoutMs: input.callbackTimeoutMs },
  });

  const { realtime, closeRealtime } = composeRealtime({
    ...{ ...common, config, access, apiKeys, projectFacts, tenantFacts, tenantTokens, sessions: people.sessions },
    ...{ operations, notifications, ...limits },
  });
  const httpMeter = new HttpMeter();
  const loadGuard = new LoadGuard({ limits: config.load });
  const alarmParts = composeAlarms({
    ...{ ...common, dataDir: config.dataDir, queue, stores, health, sealer, guard, sender },
    ...{ mailer: people.mailer, http: httpMeter },
  });
  const downloads = new DownloadTally();
  const metrics = new MetricsService({
    ...{
      version: rest.version,
      dataDir: config.dataDir,
      clock,
      database,
      queue,
      health,
      downloads,
      refusals,
      ...limits,
    },
    http: httpMeter,
    load: loadGuard,
    uploads: uploadParts.uploadTally,
    transforms,
    groups: { ...uploadParts.groups, 'signed-urls': serving.groupSizes },
    caches: {
      projects: projectFacts,
      tenants: tenantFacts,
      files: serving,
      sessions: sessionCache,
      'api-keys': apiKeys,
    },
  });

  const saveKeyUse = (): Promise<void> =>
    apiKeys.saveUse().catch((error: unknown) => logger.warn({ err: error }, 'could not save when keys were used'));
  const hotPictures = new HotPictures({
    ...{ projectFacts, serving, transforms, ...limits, usage: usageParts.usage, ids, httpMeter, config },
    requestLog: rest.requestLog,
  });
  const keyUse = setInterval(() => void saveKeyUse(), KEY_USE_MS).unref();

  return {
    ...{ ...rest, config, logger, publicUrl, clock, random, ids, instance },
    ...{ tracing, database, inTransaction, notifications, queue, stores, health },
    ...{
      access,
      audit,
      events,
      operations,
      realtime,
      refusals,
      apiKeys,
      projects,
      projectFacts,
      tenantFacts,
      idempotency,
      provisioning,
      serving,
      files,
      garbage,
      ...people,
      removal,
      ...tree,
      ...uploadParts,
      ...webhookParts,
      ...mediaParts,
      ...signedParts,
      signingKeys,
      ...alarmParts,
      ...limits,
      ...bucketParts,
      ...usageParts,
      sealer,
      transforms,
      hotPictures,
      ...transformParts,
      quotaSettings,
      jobs,
      egress,
      refusedQuotas,
      httpMeter,
      loadGuard,
      downloads,
      metrics,
    },
    /** Ends what holds connections and files. Requests must have ended before. */
    async close(): Promise<void> {
      clearInterval(keyUse);
      metrics.close();
      loadGuard.close();
      alarmParts.nodeSampler.close();
      await saveKeyUse();
      await closeRealtime();
      operations.close();
      redis?.close();
      await webhookParts.webhookWorker.close();
      signedParts.announcements.close();
      await signedParts.callbacks.close();
      await signedParts.callbackSender.close();
      await refusals.close();
      await egress.close();
      await transforms.close();
      await usageParts.usageMeter.close();
      await refusedQuotas.flush();
      imagePool.close();
      mediaParts.factsReader.close();
      await mediaParts.arrivalWorker.close();
      await uploadParts.leases.close();
      await people.accounts.drain();
      await people.emailChanges.drain();
      await people.linkMail.drain();
      await queue.close();
      await stores.close();
      closeLimits();
      await listener.close();
      await database.close();
      await tracing.close();
      await input.reporter?.close();
    },
  };
}

/**
 * How a bucket of each provider is opened. An adapter is loaded when the first bucket needs it, because the S3 client is large
 * and most starts do without.
 */
function bucketOpeners({ dataDir, s3, bucketNetworks }: ServerConfig, sealer: Sealer): BucketOpeners {
  let workers: DiskWorkers | undefined;
  return {
    local: async (bucket) => {
      const { DiskWorkers, LocalObjectStore } = await import('@carcosa/storage/adapters/local');
      workers ??= new DiskWorkers();
      return await LocalObjectStore.open({ root: join(dataDir, 'buckets', bucket.id), workers });
    },
    s3: async (bucket) => {
      const credentials = await openCredentials(sealer, bucket);
      const settings = credentials
        ? { ...storedBucket(bucket, credentials), guard: bucketGuard(bucketNetworks) }
        : environmentBucket(bucket, s3);
      const { S3ObjectStore } = await import('@carcosa/storage/adapters/s3');
      return await S3ObjectStore.open(settings);
    },
  };
}
