import { createHmac, timingSafeEqual } from 'node:crypto';
import { listSigningKeys, type Queryable, type SigningKeyRow, saveSealedToken } from '@carcosa/database';
import { type ApiKeyId, CarcosaError, type Clock, type ProjectId } from '@carcosa/kernel';
import type { ApiKeyActor } from '../access/actor.ts';
import { AnnouncedCache } from '../announced-cache.ts';
import type { Sealer } from '../secrets/sealer.ts';

/** Most keys of a project that a signature is tried with: those that were made last. */
const MAX_KEYS = 20;
const LIMITS = { size: 500, lifetimeMs: 60_000 };
const PREFIX = 'hmac-sha256=';
const FORM = /^hmac-sha256=[0-9a-f]{64}$/;

/** As `SEALED_COLUMNS` has it. */
const ownerOf = (id: ApiKeyId) => ({ kind: 'api key', id });

interface SigningKey {
  actor: ApiKeyActor;
  /** The whole key, in clear: for as long as it is remembered. */
  token: string;
  /** Milliseconds since the epoch; Infinity for never. */
  expiresAt: number;
}

export interface SigningKeysParts {
  db: Queryable;
  clock: Clock;
  sealer: Sealer;
}

/**
 * Keys that apps sign addresses with by themselves, and that we sign our words to them with: HMAC-SHA256, keyed with the text of the
 * key. Its hash, which is all that is kept of other keys, could not verify that: of these the key itself is kept, sealed (ADR 52).
 */
export class SigningKeys {
  readonly #parts: SigningKeysParts;
  readonly #keys: AnnouncedCache<ProjectId, readonly SigningKey[]>;

  constructor(parts: SigningKeysParts) {
    this.#parts = parts;
    this.#keys = new AnnouncedCache({ clock: parts.clock, ...LIMITS, load: (id) => this.#load(id) });
  }

  /** Lets a key sign. Call it in the transaction that makes the key. @returns false where it does already */
  async allow(tx: Queryable, id: ApiKeyId, token: string): Promise<boolean> {
    return await saveSealedToken(tx, id, await this.#parts.sealer.seal(token, ownerOf(id)));
  }

  /**
   * Whose key of the project has signed one of the texts.
   * @param texts the same address as different clients may know it
   * @returns null for none: a signature of another key, of other text, or of no proper form
   */
  async verify(projectId: ProjectId, texts: readonly string[], signature: string): Promise<ApiKeyActor | null> {
    if (!FORM.test(signature)) return null;
    const claimed = Buffer.from(signature.slice(PREFIX.length), 'hex');
    const now = this.#parts.clock.now();
    for (const key of (await this.#keys.get(projectId)) ?? []) {
      if (key.expiresAt <= now) continue;
      for (const text of texts) if (timingSafeEqual(digest(key.token, text), claimed)) return key.actor;
    }
    return null;
  }

  /**
   * Signs with a key, or where it has ended with the newest of its project: an app that has got a new one knows that.
   * @throws CarcosaError `forbidden` where the project has none that signs
   */
  async sign(projectId: ProjectId, keyId: ApiKeyId, text: string): Promise<string> {
    const now = this.#parts.clock.now();
    const keys = ((await this.#keys.get(projectId)) ?? []).filter(({ expiresAt }) => expiresAt > now);
    const key = keys.find(({ actor }) => actor.id === keyId) ?? keys[0];
    if (!key) throw mayNotSign();
    return PREFIX + digest(key.token, text).toString('hex');
  }

  /** @throws CarcosaError `forbidden` for a key that may not sign */
  async assertSigns(projectId: ProjectId, keyId: ApiKeyId): Promise<void> {
    const keys = (await this.#keys.get(projectId)) ?? [];
    if (!keys.some(({ actor }) => actor.id === keyId)) throw mayNotSign();
  }

  /** To be called when a key was made, changed or revoked: which project it is of, the announcement does not say. */
  keysChanged(): void {
    this.#keys.invalidate();
  }

  async #load(projectId: ProjectId): Promise<readonly SigningKey[] | null> {
    const rows = await listSigningKeys(this.#parts.db, projectId, MAX_KEYS);
    // Nothing is remembered of a project without: the key that is made next must count at once, on every node.
    if (rows.length === 0) return null;
    return await Promise.all(rows.map((row) => this.#open(row)));
  }

  async #open(row: SigningKeyRow): Promise<SigningKey> {
    const { id, projectId, restrictions, limitFactor, expiresAt } = row;
    const permissions = new Set(row.permissions);
    return {
      actor: { type: 'api-key', id, projectId, permissions, restrictions, limitFactor },
      token: await this.#parts.sealer.open(row.sealedToken, ownerOf(id)),
      expiresAt: expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
    };
  }
}

const digest = (token: string, text: string): Buffer => createHmac('sha256', token).update(text).digest();

const mayNotSign = (): CarcosaError =>
  new CarcosaError('forbidden', {
    message:
      'This key may not sign addresses. Make one that may: POST /api/v1/api-keys with "signs": true, and use its uploadthingToken.',
  });
