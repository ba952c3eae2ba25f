import type { LoggedIn, LoginProviderView } from '@carcosa/contracts';
import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import { type AuthLibrary, cookieOf, headersOf, safeCookie } from './auth-library.ts';
import { LIBRARY_COOKIES } from './library-names.ts';
import type { LoginProvider } from './login-providers.ts';
import type { PeopleService } from './people-service.ts';
import type { SessionService } from './session-service.ts';
import { sessionTokenOf } from './two-factor-service.ts';
import type { Visitor } from './visitor.ts';

/** Milliseconds that a provider has for its part. */
const PROVIDER_MS = 15_000;

export interface ProviderLoginServiceParts {
  /**
   * Each with the library for it alone, which asks the provider for its addresses when it is set up: nobody with a password, or with
   * an account at another provider, shall wait for one that does not answer.
   */
  providers: readonly { provider: LoginProvider; library: AuthLibrary }[];
  people: PeopleService;
  sessions: SessionService;
  /** Without a "/" at its end. */
  publicUrl: string;
}

/** A browser that is sent to a provider, and what binds its return to it. */
export interface ProviderStart {
  url: string;
  /** Goes into a cookie, for as long as {@link STATE_SECONDS}. */
  state: string;
}

/** A browser that came back: logged in, or not. */
export type ProviderReturn = { loggedIn: LoggedIn; returnTo: string } | { error: string };

/** Seconds that a browser has at the provider. */
export const STATE_SECONDS = 300;

/** Where the browser goes whose log-in failed; see the pages of the server. */
const ERROR_PAGE = '/auth/error';

/** Logging in with an account elsewhere: OAuth 2 and OpenID Connect, authorization code with PKCE. */
export class ProviderLoginService {
  readonly #parts: ProviderLoginServiceParts;

  constructor(parts: ProviderLoginServiceParts) {
    this.#parts = parts;
  }

  list(): LoginProviderView[] {
    const { publicUrl, providers } = this.#parts;
    return providers.map(({ provider: { id, name } }) => ({
      id,
      name,
      startUrl: `${publicUrl}/api/v1/auth/providers/${id}/start`,
    }));
  }

  /**
   * @param returnTo a path on this server
   * @throws CarcosaError `not_found` for a provider that is not configured, `login_provider_unavailable`
   */
  async start(visitor: Visitor, id: string, returnTo: string): Promise<ProviderStart> {
    const library = this.#libraryOf(id);
    try {
      return await this.#start(library, visitor, id, returnTo);
    } catch (error) {
      if (!isCarcosaError(error, 'not_found')) throw error;
      // The provider did not answer when the library asked for its addresses, and was left out.
      library.reload();
      return await this.#start(library, visitor, id, returnTo).catch((cause: unknown) => {
        throw isCarcosaError(cause, 'not_found') ? new CarcosaError('login_provider_unavailable', { cause }) : cause;
      });
    }
  }

  /** @param query of the address that the provider sent the browser to @param state of the cookie */
  async finish(
    visitor: Visitor,
    id: string,
    query: Record<string, string>,
    state: string | undefined,
  ): Promise<ProviderReturn> {
    const library = this.#libraryOf(id);
    const headers = headersOf(visitor, `${LIBRARY_COOKIES.oauthState}=${safeCookie(state ?? '')}`);
    const response = await inTime(library, ({ api }) =>
      api.callbackOAuth({ method: 'GET', params: { id }, query, headers, asResponse: true }),
    );
    const target = URL.parse(response.headers.get('location') ?? '');
    const sessionToken = sessionTokenOf(response.headers);
    if (!target || sessionToken === undefined) return { error: target?.searchParams.get('error') ?? 'unknown' };
    await this.#parts.people.claim();
    const loggedIn = await this.#parts.sessions.begin(visitor, sessionToken);
    return { loggedIn, returnTo: target.pathname + target.search };
  }

  async #start(library: AuthLibrary, visitor: Visitor, provider: string, returnTo: string): Promise<ProviderStart> {
    const { publicUrl } = this.#parts;
    const body = {
      ...{ provider, disableRedirect: true },
      callbackURL: `${publicUrl}${returnTo}`,
      errorCallbackURL: `${publicUrl}${ERROR_PAGE}`,
    };
    const { response, headers } = await inTime(library, ({ api }) =>
      api.signInSocial({ body, headers: headersOf(visitor), returnHeaders: true }),
    );
    const state = cookieOf(headers, LIBRARY_COOKIES.oauthState);
    if (!response.url || state === undefined) throw new CarcosaError('login_provider_unavailable');
    return { url: response.url, state };
  }

  #libraryOf(id: string): AuthLibrary {
    const found = this.#parts.providers.find(({ provider }) => provider.id === id);
    if (!found) throw new CarcosaError('not_found');
    return found.library;
  }
}

/** @throws CarcosaError `login_provider_unavailable` when the provider takes too long; the next call asks it anew */
async function inTime<Result>(library: AuthLibrary, work: Parameters<typeof library.call<Result>>[0]): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      library.reload();
      reject(new CarcosaError('login_provider_unavailable'));
    }, PROVIDER_MS);
  });
  try {
    return await Promise.race([library.call(work), late]);
  } finally {
    clearTimeout(timer);
  }
}
