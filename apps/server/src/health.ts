import { isDatabaseError, type Queryable, toDatabaseError } from '@carcosa/database';
import type { StoreRegistry } from '@carcosa/domain';
import { type BucketId, CarcosaError, isCarcosaError } from '@carcosa/kernel';

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

export interface Health {
  status: 'up' | 'degraded';
  components: { database: ComponentHealth; storage: ComponentHealth };
}

/** Whether this process serves, and how what it depends on does. */
export class HealthService {
  readonly #db: Queryable;
  readonly #stores: StoreRegistry;
  #bucket: BucketId | undefined;
  #ready = false;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<boolean> | null = null;

  constructor(parts: { db: Queryable; stores: StoreRegistry }) {
    this.#db = parts.db;
    this.#stores = parts.stores;
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
    const [database, storage] = await Promise.all([
      timed(async () => {
        await this.#db.query('select 1');
      }),
      timed(() => this.checkStorage()),
    ]);
    return {
      status: database.status === 'up' && storage.status === 'up' ? 'up' : 'degraded',
      components: { database, storage },
    };
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
