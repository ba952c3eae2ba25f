import { API_KEYS_CHANNEL, PEOPLE_CHANNEL, PROJECTS_CHANNEL, TENANTS_CHANNEL } from '@carcosa/database';
import { type Actor, actorId, clientOf, type Rooms, type View } from '@carcosa/domain';
import { CarcosaError, type Logger } from '@carcosa/kernel';
import { type Authenticators, type CredentialRequest, identify, tokenOf } from '../http/credentials.ts';
import type { PostgresNotifications } from '../postgres-notifications.ts';
import type { LiveConnection } from './live-connection.ts';

/** Milliseconds in which many announcements of changed rights count as one. */
const GATHER_MS = 250;
/** Milliseconds after which everybody is looked at without an announcement: credentials also end by their time. */
const SWEEP_MS = 5_000;

export interface ConnectionLimits {
  /** Most connections of this process. */
  total: number;
  /** Most connections of one actor, and of one address. */
  perClient: number;
}

export interface LiveConnectionsParts {
  authenticators: Authenticators;
  rooms: Rooms;
  notifications: PostgresNotifications;
  logger: Logger;
  limits: ConnectionLimits;
}

/** All clients that are connected to this process: how many there may be, and that each may still be here. */
export class LiveConnections {
  readonly #parts: LiveConnectionsParts;
  readonly #connections = new Set<LiveConnection>();
  readonly #counts = new Map<string, number>();
  readonly #ends: (() => void)[] = [];
  #total = 0;
  #gathering: NodeJS.Timeout | undefined;
  #isChecking = false;

  constructor(parts: LiveConnectionsParts) {
    this.#parts = parts;
    const changed = (): void => this.#gather();
    // After the caches, which heard of it first: see subscribe-caches.ts.
    for (const channel of [API_KEYS_CHANNEL, PEOPLE_CHANNEL, PROJECTS_CHANNEL, TENANTS_CHANNEL])
      this.#ends.push(parts.notifications.subscribe(channel, changed, changed));
    const sweep = setInterval(changed, SWEEP_MS).unref();
    this.#ends.push(() => clearInterval(sweep));
  }

  get count(): number {
    return this.#total;
  }

  /**
   * Counts a connection by its address, before anything else is known of it.
   * @returns takes it back
   * @throws CarcosaError `overloaded` for too many at all, `rate_limited` for too many from there
   */
  admit(address: string): () => void {
    const { limits } = this.#parts;
    if (this.#total >= limits.total)
      throw new CarcosaError('overloaded', {
        message: 'This server holds as many connections as it may; retry later.',
      });
    const release = this.#count(`address ${clientOf(address)}`, 'this address');
    this.#total += 1;
    return () => {
      this.#total -= 1;
      release();
    };
  }

  /** Counts a connection by who it belongs to. @returns takes it back, once @throws CarcosaError `rate_limited` */
  admitActor(actor: Actor): () => void {
    return this.#count(`actor ${actorId(actor)}`, 'this key, token or user');
  }

  /** Counts a connection by both at once. @returns takes it back, once @throws CarcosaError `overloaded`, `rate_limited` */
  admitBoth(address: string, actor: Actor): () => void {
    const releases = [this.admit(address)];
    const release = (): void => {
      for (const each of releases.splice(0)) each();
    };
    try {
      releases.push(this.admitActor(actor));
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  add(connection: LiveConnection): void {
    this.#connections.add(connection);
  }

  delete(connection: LiveConnection): void {
    this.#connections.delete(connection);
  }

  close(): void {
    clearTimeout(this.#gathering);
    for (const end of this.#ends) end();
  }

  #count(key: string, who: string): () => void {
    const count = this.#counts.get(key) ?? 0;
    if (count >= this.#parts.limits.perClient)
      throw new CarcosaError('rate_limited', {
        message: `There are too many open connections of ${who}; close some.`,
        details: { limit: this.#parts.limits.perClient },
        retryAfter: 10,
      });
    this.#counts.set(key, count + 1);
    let isCounted = true;
    return () => {
      if (!isCounted) return;
      isCounted = false;
      const left = (this.#counts.get(key) ?? 1) - 1;
      if (left > 0) this.#counts.set(key, left);
      else this.#counts.delete(key);
    };
  }

  #gather(): void {
    if (this.#connections.size === 0) return;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      if (this.#isChecking) return this.#gather();
      this.#isChecking = true;
      void this.#recheck().finally(() => {
        this.#isChecking = false;
      });
    }, GATHER_MS).unref();
  }

  /** Looks at every connection. What many have in common is looked up once. */
  async #recheck(): Promise<void> {
    const actors = new Map<string, Promise<Actor>>();
    const views = new Map<string, Promise<View>>();
    const open = (whose: string) => (actor: Actor, room: string) =>
      once(views, `${whose} ${room}`, () => this.#parts.rooms.open(actor, room));
    for (const connection of [...this.#connections]) {
      const whose = credentialOf(connection.request);
      try {
        const actor = await once(actors, whose, async () => identify(this.#parts.authenticators, connection.request));
        // Not awaited: one that catches up slowly must not keep the others from being looked at.
        connection.recheck(actor, open(whose)).catch((error: unknown) => this.#failed(error));
      } catch (error) {
        if (error instanceof CarcosaError && !error.retryable) connection.end(error);
        else this.#failed(error);
      }
    }
  }

  /** The next sweep tries again. */
  #failed(error: unknown): void {
    this.#parts.logger.warn({ err: error }, 'rights of connections could not be checked');
  }
}

function once<Value>(known: Map<string, Promise<Value>>, key: string, find: () => Promise<Value>): Promise<Value> {
  const found = known.get(key) ?? find();
  known.set(key, found);
  return found;
}

/** Equal for requests that are known in the same way and come from the same place. */
function credentialOf(request: CredentialRequest): string {
  const { origin, cookie } = request.raw.headers;
  return JSON.stringify([request.ip, origin, tokenOf(request) ?? cookie]);
}
