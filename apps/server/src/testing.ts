import type { StoreRegistry } from '@carcosa/domain';
import { type Clock, IdGenerator, silentLogger, systemClock } from '@carcosa/kernel';
import { createLogger } from './boot/log.ts';
import { type Carcosa, compose } from './compose.ts';
import { readServerConfig } from './config.ts';
import { defaultBucket } from './default-bucket.ts';
import { buildApp } from './http/app.ts';
import { type CONNECTION_LIMITS, Listener } from './http/listener.ts';
import type { Routes } from './http/types.ts';

export { StripeMeteredBilling } from './billing/stripe-metered-billing.ts';
export { RedisLimitStore } from './redis-limit-store.ts';
export { jobHandlers } from './workers/job-handlers.ts';

/** What a test wants to be different from a server that was started by `npm start`. */
export interface TestNodeOptions {
  /** DATABASE_URL, CARCOSA_DATA_DIR and whatever else the test sets. */
  env: Record<string, string>;
  clock?: Clock;
  limits?: Partial<typeof CONNECTION_LIMITS>;
  /** Default 0: any free one. */
  port?: number;
  /** Routes beside those of the server. */
  routes?: Routes;
  /** Milliseconds that the receiver of a webhook has. */
  webhookTimeoutMs?: number;
  /** Whether what is used is counted; default true. */
  countsUsage?: boolean;
  /** Gets every line of the log, down to the least. */
  logTo?: (line: string) => void;
  /** Puts something between the routes and the buckets. */
  wrapStores?: (stores: StoreRegistry) => StoreRegistry;
}

/** A server inside of the test's own process. */
export interface TestNode {
  readonly url: string;
  readonly carcosa: Carcosa;
  /** Drops all connections. */
  close(): Promise<void>;
}

const SECRET = 'a root secret of 32 bytes or more';

/** Starts a node on a free port, with the default project of a first start. Several on one database are a cluster. */
export async function startTestNode(options: TestNodeOptions): Promise<TestNode> {
  const { env, clock = systemClock, limits = {}, wrapStores = (stores) => stores, logTo } = options;
  const logger = logTo ? createLogger('trace', { write: logTo }) : silentLogger;
  const config = readServerConfig(env);
  const listener = new Listener({ clock, ids: new IdGenerator(clock), limits });
  const url = `http://127.0.0.1:${await listener.listen('127.0.0.1', options.port ?? 0)}`;
  const common = {
    config,
    logger,
    requestLog: logTo ? logger : null,
    secret: SECRET,
    publicUrl: url,
    version: '0',
    clock,
    ...(options.countsUsage === undefined ? {} : { countsUsage: options.countsUsage }),
    ...(options.webhookTimeoutMs === undefined ? {} : { webhookTimeoutMs: options.webhookTimeoutMs }),
  };
  const carcosa = await compose(common);
  await carcosa.provisioning.ensureDefaults(defaultBucket(config.s3), null);
  const stores = wrapStores(carcosa.stores);
  listener.handle(await buildApp({ ...carcosa, stores: stores as Carcosa['stores'] }, options.routes));
  return {
    url,
    carcosa,
    close: async () => {
      await listener.drain(AbortSignal.abort());
      await carcosa.close();
    },
  };
}
