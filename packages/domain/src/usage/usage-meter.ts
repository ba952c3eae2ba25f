import { type CountedUsage, flushUsage, type Queryable, type ServedFileRow, type UsageFlush } from '@carcosa/database';
import type { Clock, Logger } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';

/** Milliseconds for which is counted here before the database is told: so much a crash loses. */
const FLUSH_MS = 2_000;
/** Keys and tenants that are remembered. */
const MAX_CALLERS = 10_000;

export interface UsageMeterParts {
  db: Queryable;
  clock: Clock;
  logger: Logger;
  /** Names this process among all that share the database. */
  instance: string;
}

interface Counter extends CountedUsage {
  /** Has something that is not told yet. */
  isDirty: boolean;
}

type Telling = Omit<UsageFlush, 'instance'>;
type Place = Pick<ServedFileRow, 'projectId' | 'tenantId' | 'bucketId'>;

/**
 * Counts what is not a change of files: downloads, what goes out, pictures that are made, and calls of the API. In plain numbers of this
 * process, told to the database every {@link FLUSH_MS} and at the end; a flush that fails is repeated, and counts once. What files add and
 * take away is counted with them: see `ledgerEntry`.
 */
export class UsageMeter {
  readonly #parts: UsageMeterParts;
  /** Of everybody, by the file: remembered as long as the file is. */
  readonly #files = new WeakMap<Place, Counter>();
  /** Of a key, by the file. */
  readonly #filesOfKeys = new WeakMap<Place, Map<string, Counter>>();
  /** Calls, by id of the key or tenant. */
  readonly #callers = new Map<string, Counter>();
  #dirty: Counter[] = [];
  #sequence = 0;
  /** What is being told, or was not taken. */
  #telling: Telling | undefined;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(parts: UsageMeterParts) {
    this.#parts = parts;
  }

  /** A call of the API. People who are logged in are not counted: they look after things. */
  countCall(actor: Actor): void {
    if (actor.type !== 'api-key' && actor.type !== 'tenant-token') return;
    const isKey = actor.type === 'api-key';
    const id = isKey ? actor.id : actor.tenantId;
    let counter = this.#callers.get(id);
    if (!counter) {
      const tenantId = (isKey ? actor.restrictions.tenantId : actor.tenantId) ?? '';
      counter = newCounter({ projectId: actor.projectId, tenantId, bucketId: '' }, isKey ? id : '');
      if (this.#callers.size >= MAX_CALLERS) this.#callers.clear();
      this.#callers.set(id, counter);
    }
    counter.apiCalls += 1;
    if (!counter.isDirty) this.#note(counter);
  }

  /** An answer with so many bytes of a file or picture. @param actor null: nobody that we know */
  countDownload(file: Place, actor: Actor | null, bytes: number): void {
    const counter = this.#counterOf(file, actor);
    counter.downloads += 1;
    counter.bytesOut += bytes;
    if (!counter.isDirty) this.#note(counter);
  }

  /** A picture that was made of a file in so many milliseconds. */
  countTransform(file: Place, actor: Actor | null, milliseconds: number): void {
    const counter = this.#counterOf(file, actor);
    counter.transforms += 1;
    counter.transformMs += Math.max(0, Math.round(milliseconds));
    if (!counter.isDirty) this.#note(counter);
  }

  /** Tells the database what was counted. One after the other. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#flush());
    return this.#flushing;
  }

  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
  }

  #counterOf(file: Place, actor: Actor | null): Counter {
    if (actor?.type === 'api-key') return this.#counterOfKey(file, actor.id);
    let counter = this.#files.get(file);
    if (!counter) {
      counter = newCounter(file, '');
      this.#files.set(file, counter);
    }
    return counter;
  }

  #counterOfKey(file: Place, keyId: string): Counter {
    let keys = this.#filesOfKeys.get(file);
    if (!keys) {
      keys = new Map();
      this.#filesOfKeys.set(file, keys);
    }
    let counter = keys.get(keyId);
    if (!counter) {
      counter = newCounter(file, keyId);
      keys.set(keyId, counter);
    }
    return counter;
  }

  #note(counter: Counter): void {
    counter.isDirty = true;
    this.#dirty.push(counter);
    this.#arm();
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // What was not taken goes first, as it was: nobody knows whether it was counted.
    if (this.#telling && !(await this.#tell(this.#telling))) return;
    if (this.#dirty.length === 0) return;
    const dirty = this.#dirty;
    this.#dirty = [];
    this.#sequence += 1;
    this.#telling = { sequence: this.#sequence, now: this.#parts.clock.now(), counted: takeAll(dirty) };
    await this.#tell(this.#telling);
  }

  async #tell(told: Telling): Promise<boolean> {
    const { db, instance, logger } = this.#parts;
    try {
      await flushUsage(db, { instance, ...told });
      this.#telling = undefined;
      return true;
    } catch (error) {
      logger.warn({ err: error }, 'could not save what was used; it is tried again');
      this.#arm();
      return false;
    }
  }
}

function newCounter(
  { projectId, tenantId, bucketId }: { projectId: string; tenantId: string; bucketId: string },
  keyId: string,
): Counter {
  const counts = { downloads: 0, bytesOut: 0, transforms: 0, transformMs: 0, apiCalls: 0 };
  return { projectId, tenantId, bucketId, keyId, ...counts, isDirty: false };
}

/** What the counters have, summed up by what is alike; they begin anew. */
function takeAll(counters: readonly Counter[]): CountedUsage[] {
  const sums = new Map<string, CountedUsage>();
  for (const counter of counters) {
    const { isDirty: _, ...counted } = counter;
    const name = `${counted.projectId} ${counted.tenantId} ${counted.bucketId} ${counted.keyId}`;
    const sum = sums.get(name);
    if (!sum) sums.set(name, counted);
    else for (const each of COUNTS) sum[each] += counted[each];
    for (const each of COUNTS) counter[each] = 0;
    counter.isDirty = false;
  }
  return [...sums.values()];
}

const COUNTS = ['downloads', 'bytesOut', 'transforms', 'transformMs', 'apiCalls'] as const;
