import { CarcosaError } from '@carcosa/kernel';
import { toAuthError } from './auth-errors.ts';
import type { BetterAuthParts, createBetterAuth } from './better-auth.ts';
import { ADDRESS_HEADER, LIBRARY_COOKIES } from './library-names.ts';
import { type Visitor, whenceOf } from './visitor.ts';

type BetterAuth = ReturnType<typeof createBetterAuth>;

/** What a right password leads to: a session, or the second step. */
export type SignedIn = { sessionToken: string } | { twoFactorToken: string };

/**
 * The only place that talks to the library for people. It is loaded at the first call: a server that nobody logs in to does not pay
 * for it. Every method throws our errors. Session tokens here are the library's own, and never leave the server.
 */
export class AuthLibrary {
  readonly #parts: BetterAuthParts;
  #loaded: Promise<BetterAuth> | undefined;

  constructor(parts: BetterAuthParts) {
    this.#parts = parts;
  }

  /**
   * Makes an account. `sessionToken` is null where the address must be verified first, also when it was known already: then the id
   * is nobody's.
   */
  async signUp(input: { email: string; password: string; name: string }, visitor: Visitor) {
    return await this.call(async ({ api }) => {
      const { token, user } = await api.signUpEmail({ body: input, headers: headersOf(visitor) });
      return { id: user.id, sessionToken: token };
    });
  }

  /** @throws CarcosaError `invalid_credentials`, with the same work done whether the account exists or not; `email_unverified` */
  async signIn(input: { email: string; password: string }, visitor: Visitor): Promise<SignedIn> {
    return await this.call(async ({ api }) => {
      const { response, headers } = await api.signInEmail({
        body: input,
        headers: headersOf(visitor),
        returnHeaders: true,
      });
      const pending = cookieOf(headers, LIBRARY_COOKIES.twoFactor);
      if (pending !== undefined) return { twoFactorToken: pending };
      if (!response.token) throw new CarcosaError('invalid_credentials');
      return { sessionToken: response.token };
    });
  }

  /** @throws CarcosaError `invalid_code`, `second_step_expired`, `second_step_locked` */
  async secondStep(
    input: { twoFactorToken: string; code?: string | undefined; recoveryCode?: string | undefined },
    visitor: Visitor,
  ): Promise<string> {
    return await this.call(async ({ api }) => {
      const headers = headersOf(visitor, `${LIBRARY_COOKIES.twoFactor}=${safeCookie(input.twoFactorToken)}`);
      const { token } =
        input.code === undefined
          ? await api.verifyBackupCode({ body: { code: input.recoveryCode ?? '' }, headers })
          : await api.verifyTOTP({ body: { code: input.code }, headers });
      if (!token) throw new CarcosaError('second_step_expired');
      return token;
    });
  }

  /** What a call in the name of somebody who is logged in carries. @param sessionToken the library's own */
  headersFor(visitor: Visitor, sessionToken: string, cookie?: string): Headers {
    const headers = headersOf(visitor, cookie);
    headers.set('authorization', `Bearer ${sessionToken}`);
    return headers;
  }

  /** Runs `work` with the loaded library, and makes errors of ours of its refusals. */
  async call<Result>(work: (auth: BetterAuth) => Promise<Result>): Promise<Result> {
    try {
      return await work(await this.#load());
    } catch (error) {
      throw toAuthError(error);
    }
  }

  /** Forgets what was loaded: the next call sets the library up anew, and asks providers for their addresses again. */
  reload(): void {
    this.#loaded = undefined;
  }

  async #load(): Promise<BetterAuth> {
    this.#loaded ??= import('./better-auth.ts').then(async ({ createBetterAuth }) => {
      const auth = createBetterAuth(this.#parts);
      await auth.$context;
      return auth;
    });
    // What could not be set up is tried anew by the next call.
    this.#loaded.catch(() => this.reload());
    return await this.#loaded;
  }
}

/** What the library is told of a request. @param cookie as in a Cookie header */
export function headersOf(visitor: Visitor, cookie?: string): Headers {
  const { ipAddress, userAgent } = whenceOf(visitor);
  const headers = new Headers();
  if (ipAddress !== null) headers.set(ADDRESS_HEADER, ipAddress);
  if (userAgent !== null) headers.set('user-agent', userAgent);
  if (cookie !== undefined) headers.set('cookie', cookie);
  return headers;
}

/** The value of a cookie that the library sets, as it would stand in a Cookie header. */
export function cookieOf(headers: Headers, name: string): string | undefined {
  for (const line of headers.getSetCookie()) {
    const pair = line.split(';', 1)[0] ?? '';
    if (pair.startsWith(`${name}=`) && pair.length > name.length + 1) return pair.slice(name.length + 1);
  }
  return undefined;
}

/** What came from outside must be one cookie and no more. */
export function safeCookie(value: string): string {
  return value.replace(/[^A-Za-z0-9%._~!*'()+/=-]/g, '');
}
