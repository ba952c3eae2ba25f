import type { ProjectSettings } from '@carcosa/contracts';
import type { Actor, ApiKeyService, ProjectFactsCache, SessionService, TenantTokenActor } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import type { BrowserSession, HeadersOf } from './browser-session.ts';
import { assertWhence } from './key-restrictions.ts';

/** What knows the kinds of credentials. What is absent, nobody can be known by. */
export interface Authenticators {
  apiKeys: Pick<ApiKeyService, 'authenticate'>;
  sessions?: Pick<SessionService, 'authenticate'>;
  tenantTokens?: {
    /** @throws CarcosaError (or rejects with) `unauthenticated` */
    authenticate(token: string): TenantTokenActor | Promise<TenantTokenActor>;
  };
  /** Absent: no project confines the origins of pages. */
  projectFacts?: Pick<ProjectFactsCache, 'facts'>;
  browser: BrowserSession;
}

/** What of a request says who sends it, and from where. */
export interface CredentialRequest extends HeadersOf {
  readonly ip: string;
}

const API_KEY_PREFIX = 'sk_';
/** The `typ` of a tenant token's header. */
const TENANT_TOKEN = 'tenant+jwt';

/**
 * Who sends a request: by `Authorization: Bearer` (API key, access token or tenant token), by `x-api-key`, or by the cookie of a
 * browser. At once for what is remembered: this is on the way of every request.
 * @throws CarcosaError (or rejects with) `unauthenticated`; `forbidden` for a key that may not be used from there;
 * `cross_site_request` for a cookie that the page of another site sends along
 */
export function identify(authenticators: Authenticators, request: CredentialRequest): Actor | Promise<Actor> {
  const token = tokenOf(request);
  if (token !== undefined) return identifyToken(authenticators, token, request);
  const { browser, sessions } = authenticators;
  const cookie = request.raw.headers.authorization === undefined ? browser.accessToken(request) : undefined;
  if (cookie === undefined || !sessions) throw new CarcosaError('unauthenticated');
  browser.assertOurs(request);
  return sessions.authenticate(cookie);
}

function identifyToken(
  authenticators: Authenticators,
  token: string,
  request: CredentialRequest,
): Actor | Promise<Actor> {
  const found = holderOf(authenticators, token);
  if (found instanceof Promise) return found.then((actor) => fromThere(authenticators, actor, request));
  return fromThere(authenticators, found, request);
}

/** Whose key or token it is, wherever it is used. @throws CarcosaError (or rejects with) `unauthenticated` */
export function holderOf(authenticators: Omit<Authenticators, 'browser'>, token: string): Actor | Promise<Actor> {
  const { apiKeys, sessions, tenantTokens } = authenticators;
  if (token.startsWith(API_KEY_PREFIX)) return apiKeys.authenticate(token);
  if (tenantTokens && typeOf(token) === TENANT_TOKEN) return tenantTokens.authenticate(token);
  if (!sessions) throw new CarcosaError('unauthenticated');
  return sessions.authenticate(token);
}

function fromThere({ projectFacts }: Authenticators, actor: Actor, request: CredentialRequest): Actor | Promise<Actor> {
  if (actor.type === 'api-key') assertWhence(actor.restrictions, request);
  const { origin } = request.raw.headers;
  // Only browsers say where a page comes from; other programs pay nothing for this.
  if (origin === undefined || !projectFacts || (actor.type !== 'api-key' && actor.type !== 'tenant-token'))
    return actor;
  const facts = projectFacts.facts(actor.projectId);
  if (facts instanceof Promise) return facts.then(({ settings }) => assertOrigin(settings, origin, actor));
  return assertOrigin(facts.settings, origin, actor);
}

function assertOrigin({ allowedOrigins }: ProjectSettings, origin: string, actor: Actor): Actor {
  if (allowedOrigins === null || allowedOrigins.includes(origin)) return actor;
  throw new CarcosaError('forbidden', {
    message: 'Pages of this origin may not use this project; add it to allowedOrigins in the settings of the project.',
    details: { restriction: 'allowedOrigins', origin },
  });
}

/** `Authorization: Bearer …` or `x-api-key: …`; apps of UploadThing have a header of their own. */
export function tokenOf(request: CredentialRequest): string | undefined {
  const { authorization } = request.raw.headers;
  if (authorization !== undefined) {
    return authorization.length > 7 && authorization.slice(0, 7).toLowerCase() === 'bearer '
      ? authorization.slice(7).trim()
      : undefined;
  }
  const key = request.raw.headers['x-api-key'] ?? request.raw.headers['x-uploadthing-api-key'];
  return typeof key === 'string' ? key.trim() : undefined;
}

/** What a JWT says that it is, before anything of it is believed. */
function typeOf(token: string): unknown {
  try {
    const header: unknown = JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString());
    return typeof header === 'object' && header !== null && 'typ' in header ? header.typ : undefined;
  } catch {
    return undefined;
  }
}
