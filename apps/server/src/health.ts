import { isDatabaseError, type Queryable, toDatabaseError } from '@carcosa/database';
import type { StoreRegistry } from '@carcosa/domain';
import { type BucketId, CarcosaError, isCarcosaError } from '@carcosa/kernel';
import { diskOf } from './metrics/process-meter.ts';

/** How long a component may take before it counts as down, in milliseconds. */
const PATIENCE_MS = 3_000;
/** The same for the question whether we are ready: load balancers commonly wait a second for its answer. */
const READY_PATIENCE_MS = 800;
/** An answer of the database is good for so many milliseconds: however many ask, it is asked no more often. */
const READY_FOR_MS = 1_000;

export interface ComponentHealth {
  status: 'up' | 'down';
  /** Milliseconds that the check took. */
  latency: number;
  /** A code of the error registry, when down. */
  error?: string;
}

/** Bytes below which the disk of the data directory counts as full. */
const LEAST_DISK = 64 * 1024 * 1024;
/** Components are asked no more often, in milliseconds: the route is open to everyone. Mail is a conversation with another server. */
const FRESH_MS = { component: 1_000, mail: 60_000 };

export interface Health {
  /** Degraded when one fails without which files cannot be served: the database, the storage or the disk. */
  status: 'up' | 'degraded';
  components: Components;
}

interface Components {
  database: ComponentHealth;
  /** The bucket of the default project. */
  storage: ComponentHealth;
  /** The file system of the data directory. */
  disk: ComponentHealth;
  /** Jobs can be made; they wait in the database where not. */
  queue: ComponentHealth;
  /** Where it is configured. */
  redis?: ComponentHealth;
  /** Where it is configured. */
  mail?: ComponentHealth;
}

/** How components are asked; each throws, or rejects, when it cannot be used. */
export interface HealthChecks {
  disk(): Promise<void>;
  queue(): Promise<void>;
  redis?: (() => Promise<void>) | undefined;
  mail?: (() => Promise<void>) | undefined;
}

/** Whether this process serves, and how what it depends on does. */
export class HealthService {
  readonly #db: Queryable;
  readonly #stores: StoreRegistry;
  #bucket: BucketId | undefined;
  #ready = false;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<boolean> | null = null;

  readonly #checks: HealthChecks;
  readonly #checked = new Map<keyof Components, { at: number; health: Promise<ComponentHealth> }>();

  constructor(parts: { db: Queryable; stores: StoreRegistry; checks: HealthChecks }) {
    this.#db = parts.db;
    this.#stores = parts.stores;
    this.#checks = parts.checks;
  }

  /** From the end of the start until the beginning of the stop. */
  get isReady(): boolean {
    return this.#ready;
  }

  /** Whether requests can be served now: also the database answers, or did so a moment ago. */
  async serves(): Promise<boolean> {
    if (!this.#ready) return false;
    if (performance.now() - this.#answeredAt < READY_FOR_MS) return true;
    this.#asking ??= this.#askDatabase().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #askDatabase(): Promise<boolean> {
    const { status } = await timed(async () => {
      await this.#db.query('select 1');
    }, READY_PATIENCE_MS);
    if (status === 'up') this.#answeredAt = performance.now();
    return status === 'up';
  }

  setReady(ready: boolean): void {
    this.#ready = ready;
  }

  /** The bucket whose answer counts for storage: that of the default project. */
  watch(bucket: BucketId): void {
    this.#bucket = bucket;
  }

  /** @throws CarcosaError what the watched bucket says when it cannot be used */
  async checkStorage(): Promise<void> {
    if (this.#bucket) await (await this.#stores.storeFor(this.#bucket)).stat('carcosa-health');
  }

  async check(): Promise<Health> {
    const { disk, queue, redis, mail } = this.#checks;
    const askDatabase = async (): Promise<void> => {
      await this.#db.query('select 1');
    };
    const asked = await Promise.all([
      this.#ask('database', askDatabase),
      this.#ask('storage', () => this.checkStorage()),
      this.#ask('disk', disk),
      this.#ask('queue', queue),
      redis && this.#ask('redis', redis),
      mail && this.#ask('mail', mail, FRESH_MS.mail),
    ]);
    const [database, storage, onDisk, ofQueue, ofRedis, ofMail] = asked;
    const isUp = [database, storage, onDisk].every(({ status }) => status === 'up');
    return {
      status: isUp ? 'up' : 'degraded',
      components: {
        ...{ database, storage, disk: onDisk, queue: ofQueue },
        ...(ofRedis && { redis: ofRedis }),
        ...(ofMail && { mail: ofMail }),
      },
    };
  }

  /** However many ask, a component is asked once within `freshMs`. */
  #ask(name: keyof Components, check: () => Promise<void>, freshMs = FRESH_MS.component): Promise<ComponentHealth> {
    const known = this.#checked.get(name);
    const at = performance.now();
    if (known && at - known.at < freshMs) return known.health;
    const health = timed(check);
    this.#checked.set(name, { at, health });
    return health;
  }
}

async function timed(check: () => Promise<void>, patience = PATIENCE_MS): Promise<ComponentHealth> {
  const begun = performance.now();
  const latency = (): number => Math.round((performance.now() - begun) * 10) / 10;
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CarcosaError('request_timeout')), patience);
  });
  try {
    await Promise.race([check(), tooLate]);
    return { status: 'up', latency: latency() };
  } catch (error) {
    return { status: 'down', latency: latency(), error: codeOf(error) };
  } finally {
    clearTimeout(timer);
  }
}

function codeOf(error: unknown): string {
  if (isDatabaseError(error)) return toDatabaseError(error).code;
  return isCarcosaError(error) ? error.code : 'internal_error';
}

/** @throws CarcosaError `storage_full` when there is hardly room for more */
export async function assertRoom(directory: string): Promise<void> {
  const { free } = await diskOf(directory);
  if (free < LEAST_DISK) throw new CarcosaError('storage_full');
}
