import { hkdfSync } from 'node:crypto';
import { type MintedToken, type MintTokenBody, type Permission, TENANT_PERMISSIONS } from '@carcosa/contracts';
import { type ApiKeyView, findApiKeyById, type Queryable } from '@carcosa/database';
import {
  type ApiKeyId,
  CarcosaError,
  type Clock,
  type IdGenerator,
  isId,
  type ProjectId,
  type TenantId,
  toIsoString,
} from '@carcosa/kernel';
import { z } from 'zod';
import type { Access } from '../access/access.ts';
import type { Actor, TenantTokenActor } from '../access/actor.ts';
import { mayPlace, placeRefused } from '../access/grant.ts';
import { AnnouncedCache } from '../announced-cache.ts';
import { record } from '../audit/record.ts';
import type { TenantService } from './service.ts';
import type { TenantFactsCache } from './tenant-facts.ts';

const ALGORITHM = 'HS256';
/** Set in the header, so that no other token of this server passes for one of these. */
export const TENANT_TOKEN_TYPE = 'tenant+jwt';
const ISSUER = 'carcosa';
const AUDIENCE = 'carcosa:tenant';

const Claims = z.object({
  jti: z.string(),
  sub: z.string().describe('the tenant'),
  prj: z.string(),
  /** The key that minted it; absent for a person. */
  key: z.string().optional(),
  per: z.array(z.enum(TENANT_PERMISSIONS)),
  pre: z.string().optional(),
  exp: z.number(),
});
type Claims = z.infer<typeof Claims>;

/** What a token gives. */
interface TokenRights {
  tenantId: TenantId;
  permissions: readonly Permission[];
  pathPrefix: string | undefined;
}

/** Most tokens that are remembered as authentic. */
const CACHE_SIZE = 1000;
/** Most keys that are remembered, and for how many milliseconds a change may go unnoticed by a node that is cut off. */
const KEYS = { size: 1000, lifetimeMs: 30_000 };

export interface TenantTokensParts {
  db: Queryable;
  clock: Clock;
  ids: IdGenerator;
  access: Access;
  tenants: TenantService;
  tenantFacts: TenantFactsCache;
  /** The root secret. */
  secret: Buffer;
}

/**
 * Short-lived tokens for browsers of one tenant: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256. They end when their time is
 * over, when the key that minted them ends, or when the tenant is removed; and they may at no time more than that key.
 */
export class TenantTokens {
  readonly #parts: TenantTokensParts;
  readonly #key: Uint8Array;
  readonly #verified = new Map<string, Claims>();
  readonly #keys: AnnouncedCache<ApiKeyId, ApiKeyView>;

  constructor(parts: TenantTokensParts) {
    this.#parts = parts;
    this.#keys = new AnnouncedCache({ clock: parts.clock, ...KEYS, load: (id) => findApiKeyById(parts.db, id) });
    this.#key = new Uint8Array(hkdfSync('sha256', parts.secret, 'carcosa', 'tenant-tokens', 32));
  }

  /** @throws CarcosaError `forbidden` for permissions that the minter has not, `tenant_suspended` is left to the writes */
  async mint(actor: Actor, tenantId: string, input: MintTokenBody): Promise<MintedToken> {
    const tenant = await this.#parts.tenants.find(actor, tenantId);
    const pathPrefix = await this.#assertMayGive(actor, tenant.projectId, input);
    const expiresAt = Math.floor(this.#parts.clock.now() / 1000) + input.expiresIn;
    const claims = {
      prj: tenant.projectId,
      per: [...new Set(input.permissions)],
      ...(actor.type === 'api-key' ? { key: actor.id } : {}),
      ...(pathPrefix === '' ? {} : { pre: pathPrefix }),
    };
    const jti = this.#parts.ids.next('token');
    // Loaded when it is first needed: a start does without.
    const { SignJWT } = await import('jose');
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, typ: TENANT_TOKEN_TYPE })
      .setJti(jti)
      .setSubject(tenant.id)
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setExpirationTime(expiresAt)
      .sign(this.#key);
    const { db, clock } = this.#parts;
    const after = { permissions: claims.per, pathPrefix: pathPrefix || null, expiresAt: toIsoString(expiresAt * 1000) };
    const place = { projectId: tenant.projectId, tenantId: tenant.id };
    await record(db, clock, actor, { action: 'token.create', resource: { type: 'token', id: jti }, place, after });
    return { token, tenantId: tenant.id, expiresAt: after.expiresAt };
  }

  /** Who holds the token. @throws CarcosaError `unauthenticated` */
  async authenticate(token: string): Promise<TenantTokenActor> {
    const claims = this.#verified.get(token) ?? (await this.#verify(token));
    const now = this.#parts.clock.now();
    const { jti, sub, prj, key, per, pre } = claims;
    const isWhole = isId('token', jti) && isId('tenant', sub) && isId('project', prj);
    if (!isWhole || claims.exp * 1000 <= now || (key !== undefined && !isId('apiKey', key))) throw unauthenticated();
    const tenant = await this.#parts.tenantFacts.facts(sub);
    if (tenant?.projectId !== prj) throw unauthenticated();
    const claimed = { tenantId: sub as TenantId, permissions: per, pathPrefix: pre };
    const left = key === undefined ? claimed : this.#heldAgainst(await this.#keys.get(key as ApiKeyId), claimed);
    return {
      type: 'tenant-token',
      id: jti,
      apiKeyId: (key ?? null) as ApiKeyId | null,
      projectId: prj as ProjectId,
      tenantId: claimed.tenantId,
      permissions: new Set<Permission>(left.permissions),
      pathPrefix: left.pathPrefix,
    };
  }

  /** To be called with the id of a key that was changed; without, when it is unknown which. */
  keyChanged(id?: string): void {
    this.#keys.invalidate(id);
  }

  async #verify(token: string): Promise<Claims> {
    try {
      const { jwtVerify } = await import('jose');
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: [ALGORITHM],
        typ: TENANT_TOKEN_TYPE,
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['exp', 'jti', 'sub'],
        currentDate: new Date(this.#parts.clock.now()),
      });
      const claims = Claims.parse(payload);
      this.#verified.set(token, claims);
      const [oldest] = this.#verified.keys();
      if (this.#verified.size > CACHE_SIZE && oldest !== undefined) this.#verified.delete(oldest);
      return claims;
    } catch {
      throw unauthenticated();
    }
  }

  /** What is left of a token's rights where those of its key have become fewer. @throws CarcosaError `unauthenticated` */
  #heldAgainst(key: ApiKeyView | null, claimed: TokenRights): TokenRights {
    const endsAt = key?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
    if (key === null || key.revokedAt !== null || endsAt <= this.#parts.clock.now()) throw unauthenticated();
    const { tenantId = claimed.tenantId, pathPrefix: folder = '' } = key.restrictions;
    if (tenantId !== claimed.tenantId) throw unauthenticated();
    const isWhole = key.permissions.includes('admin');
    const permissions = claimed.permissions.filter((each) => isWhole || key.permissions.includes(each));
    const own = claimed.pathPrefix ?? '';
    if (folder === '' || own === folder || own.startsWith(`${folder}/`)) return { ...claimed, permissions };
    // The key was confined to a folder inside of the token's, or to one that has nothing to do with it.
    if (own === '' || folder.startsWith(`${own}/`)) return { ...claimed, permissions, pathPrefix: folder };
    throw unauthenticated();
  }

  /** @returns the folder that the token is confined to; "" for all of the tenant's files */
  async #assertMayGive(actor: Actor, projectId: ProjectId, input: MintTokenBody): Promise<string> {
    let pathPrefix = input.pathPrefix ?? '';
    for (const permission of input.permissions) {
      const decision = await this.#parts.access.decide(actor, permission, projectId);
      if (!decision.allowed) {
        const message = `You cannot give the permission ${permission}, because you do not have it.`;
        throw new CarcosaError('forbidden', { message, details: { permission } });
      }
      const { grant } = decision;
      if (pathPrefix === '') pathPrefix = grant.pathPrefix;
      else if (pathPrefix !== grant.pathPrefix && !mayPlace(grant, pathPrefix)) throw placeRefused(grant);
    }
    return pathPrefix;
  }
}

const unauthenticated = () =>
  new CarcosaError('unauthenticated', { message: 'This token is not, or no longer, in force.' });
