import type { IncomingHttpHeaders } from 'node:http';
import type { LoggedIn } from '@carcosa/contracts';
import { CarcosaError } from '@carcosa/kernel';
import type { FastifyReply } from 'fastify';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** A request, or what stands for one that opened a socket. */
export interface HeadersOf {
  readonly method: string;
  readonly raw: { readonly headers: IncomingHttpHeaders };
}

/** A cookie that scripts cannot read and other sites cannot make a browser send along with a change. */
interface CookieOptions {
  /** Seconds; 0 removes the cookie. */
  maxAge: number;
}

/**
 * Sessions of browsers: tokens in HTTP-only cookies. Under https their names begin with `__Host-`, so that no other host can set
 * them. A request that is known by a cookie alone must come from a page of this server when it changes something.
 */
export class BrowserSession {
  readonly #origin: string;
  readonly #secure: boolean;
  readonly #names: { access: string; refresh: string; login: string };

  /** @param publicUrl the address that clients see */
  constructor(publicUrl: string) {
    const url = new URL(publicUrl);
    this.#origin = url.origin;
    this.#secure = url.protocol === 'https:';
    const prefix = this.#secure ? '__Host-' : '';
    this.#names = {
      access: `${prefix}carcosa_access`,
      refresh: `${prefix}carcosa_refresh`,
      login: `${prefix}carcosa_login`,
    };
  }

  accessToken(request: HeadersOf): string | undefined {
    return cookieOf(request, this.#names.access);
  }

  refreshToken(request: HeadersOf): string | undefined {
    return cookieOf(request, this.#names.refresh);
  }

  /** What binds a log-in at a provider elsewhere to the browser that began it. */
  loginState(request: HeadersOf): string | undefined {
    return cookieOf(request, this.#names.login);
  }

  /** Keeps the tokens in cookies, unless a page of somebody else asks: it gets them in the answer, and no more. */
  keep(request: HeadersOf, reply: FastifyReply, loggedIn: LoggedIn): void {
    reply.header('Cache-Control', 'no-store');
    if (this.#isOurs(request, true)) this.keepAfterLogin(reply, loggedIn);
  }

  /** Keeps the tokens in cookies, whoever sent the browser here. */
  keepAfterLogin(reply: FastifyReply, loggedIn: LoggedIn): void {
    this.#set(reply, this.#names.access, loggedIn.accessToken, { maxAge: loggedIn.expiresIn });
    this.#set(reply, this.#names.refresh, loggedIn.refreshToken, { maxAge: loggedIn.refreshExpiresIn });
  }

  /** @param maxAge seconds; 0 forgets it */
  keepLoginState(reply: FastifyReply, value: string, maxAge: number): void {
    this.#set(reply, this.#names.login, value, { maxAge });
  }

  clear(reply: FastifyReply): void {
    this.#set(reply, this.#names.access, '', { maxAge: 0 });
    this.#set(reply, this.#names.refresh, '', { maxAge: 0 });
  }

  /**
   * For a request that is known by a cookie. Browsers say where a request comes from by `Origin` or `Sec-Fetch-Site`, which no page
   * can change; one that says neither is not let in.
   * @throws CarcosaError `cross_site_request`
   */
  assertOurs(request: HeadersOf): void {
    if (SAFE_METHODS.has(request.method) || this.#isOurs(request, false)) return;
    throw new CarcosaError('cross_site_request');
  }

  #isOurs(request: HeadersOf, ifUnsaid: boolean): boolean {
    const { origin, host } = request.raw.headers;
    if (origin !== undefined) return origin === this.#origin || (host !== undefined && hostOf(origin) === host);
    const site = request.raw.headers['sec-fetch-site'];
    return site === undefined ? ifUnsaid : site === 'same-origin';
  }

  #set(reply: FastifyReply, name: string, value: string, { maxAge }: CookieOptions): void {
    const secure = this.#secure ? '; Secure' : '';
    reply.header('Set-Cookie', `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`);
  }
}

/** Host and port of an origin; undefined for `null` and whatever else is none. */
function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host || undefined;
}

/** The first cookie of that name. */
function cookieOf(request: HeadersOf, name: string): string | undefined {
  const { cookie } = request.raw.headers;
  if (cookie === undefined) return undefined;
  for (const pair of cookie.split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim() || undefined;
  }
  return undefined;
}
