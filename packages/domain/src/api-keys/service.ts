import { hash, timingSafeEqual } from 'node:crypto';
import type { KeyRestrictions, Permission } from '@carcosa/contracts';
import { type ApiKeyRow, findApiKey, insertApiKey, type Queryable, revokeApiKey, saveKeyUse } from '@carcosa/database';
import {
  type ApiKeyId,
  CarcosaError,
  type Clock,
  type IdGenerator,
  type Lookups,
  type ProjectId,
  type Random,
} from '@carcosa/kernel';
import type { ApiKeyActor } from '../access/actor.ts';
import { formatApiKey, newApiKeyToken, parseApiKey } from './token.ts';

/** Most keys that are remembered, and for how many milliseconds: as long as a revocation may go unnoticed by a node that is cut off. */
const CACHE_SIZE = 1000;
const CACHE_MS = 60_000;

interface CachedKey {
  actor: ApiKeyActor;
  secretHash: Buffer;
  /** Milliseconds since the epoch; Infinity for never. */
  expiresAt: number;
  cachedUntil: number;
}

// Compared with where there is no key, so that an unknown id costs the same work as a wrong secret.
const NO_KEY = Buffer.alloc(32);

export interface ApiKeyServiceParts {
  db: Queryable;
  clock: Clock;
  random: Random;
  ids: IdGenerator;
}

export interface NewApiKey {
  projectId: ProjectId;
  label: string;
  permissions: readonly Permission[];
  restrictions?: KeyRestrictions;
  /** Its rate limits are this many times those of others. */
  limitFactor?: number;
  /** Who made it; null: the program. */
  createdBy?: string | null;
  /** Null: never. */
  expiresAt?: Date | null;
}

/** Makes API keys and recognizes them. Only the SHA-256 of a secret is stored. */
export class ApiKeyService {
  readonly #parts: ApiKeyServiceParts;
  // In the order of use: the first is the one that was not asked for longest.
  readonly lookups: Lookups = { hits: 0, misses: 0 };
  readonly #cache = new Map<string, CachedKey>();
  /** Rises with each change: what was read before is not remembered after it. */
  #changes = 0;
  /** When keys were used since the last save, in milliseconds since the epoch. */
  #used = new Map<ApiKeyId, number>();

  constructor(parts: ApiKeyServiceParts) {
    this.#parts = parts;
  }

  /**
   * Who holds `token`: at once when the key is remembered, else after one look-up by its unique index.
   * @throws CarcosaError `unauthenticated` (or rejects with it) for a key that is unknown, wrong, expired or revoked
   */
  authenticate(token: string): ApiKeyActor | Promise<ApiKeyActor> {
    const parsed = parseApiKey(token);
    if (!parsed) throw new CarcosaError('unauthenticated');
    const secretHash = hash('sha256', parsed.secret, 'buffer');
    const cached = this.#cache.get(parsed.publicId);
    if (cached && cached.cachedUntil > this.#parts.clock.now()) {
      this.lookups.hits += 1;
      this.#remember(parsed.publicId, cached);
      return this.#admit(cached, secretHash);
    }
    this.lookups.misses += 1;
    return this.#lookUp(parsed.publicId, secretHash);
  }

  /** Makes a key and returns it in clear, this one time. `db` may be a transaction. */
  async create(input: NewApiKey, db: Queryable = this.#parts.db): Promise<{ id: ApiKeyId; token: string }> {
    const id = this.#parts.ids.next('apiKey');
    const token = newApiKeyToken(this.#parts.random);
    await insertApiKey(db, {
      id,
      publicId: token.publicId,
      projectId: input.projectId,
      label: input.label,
      secretHash: hash('sha256', token.secret, 'buffer'),
      permissions: [...input.permissions],
      restrictions: input.restrictions ?? {},
      limitFactor: input.limitFactor ?? 1,
      createdBy: input.createdBy ?? null,
      expiresAt: input.expiresAt ?? null,
    });
    return { id, token: formatApiKey(token) };
  }

  /** Ends the key for every node. @throws CarcosaError `not_found` */
  async revoke(id: ApiKeyId): Promise<void> {
    const revoked = await revokeApiKey(this.#parts.db, id);
    if (!revoked) throw new CarcosaError('not_found');
    this.invalidate(revoked.publicId);
  }

  /** Writes down when keys were used since the last call; a crash loses what came after it. */
  async saveUse(): Promise<void> {
    const used = this.#used;
    if (used.size === 0) return;
    this.#used = new Map();
    const uses = [...used].map(([id, at]) => ({ id, at: new Date(at) }));
    // In one order, so that two nodes never wait for each other.
    await saveKeyUse(
      this.#parts.db,
      uses.sort((a, b) => (a.id < b.id ? -1 : 1)),
    );
  }

  /** Forgets one key, or all of them when the connection that announces changes was lost for a while. */
  invalidate(publicId?: string): void {
    this.#changes += 1;
    if (publicId === undefined) this.#cache.clear();
    else this.#cache.delete(publicId);
  }

  async #lookUp(publicId: string, secretHash: Buffer): Promise<ApiKeyActor> {
    const changes = this.#changes;
    const row = await findApiKey(this.#parts.db, publicId);
    if (!row || row.revokedAt) {
      timingSafeEqual(NO_KEY, secretHash);
      throw new CarcosaError('unauthenticated');
    }
    const cached = toCached(row, this.#parts.clock.now());
    const actor = this.#admit(cached, secretHash);
    if (changes === this.#changes) this.#remember(publicId, cached);
    return actor;
  }

  #remember(publicId: string, key: CachedKey): void {
    this.#cache.delete(publicId);
    this.#cache.set(publicId, key);
    if (this.#cache.size <= CACHE_SIZE) return;
    const [oldest] = this.#cache.keys();
    if (oldest !== undefined) this.#cache.delete(oldest);
  }

  #admit(key: CachedKey, secretHash: Buffer): ApiKeyActor {
    const right = timingSafeEqual(key.secretHash, secretHash);
    const now = this.#parts.clock.now();
    if (!right || key.expiresAt <= now) throw new CarcosaError('unauthenticated');
    this.#used.set(key.actor.id, now);
    return key.actor;
  }
}

function toCached(row: ApiKeyRow, now: number): CachedKey {
  return {
    actor: {
      type: 'api-key',
      id: row.id,
      projectId: row.projectId,
      permissions: new Set(row.permissions),
      restrictions: row.restrictions,
      limitFactor: row.limitFactor,
    },
    secretHash: row.secretHash,
    expiresAt: row.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
    cachedUntil: now + CACHE_MS,
  };
}
