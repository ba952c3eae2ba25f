import type { LoggedIn, TwoFactorSetup } from '@carcosa/contracts';
import type { Queryable } from '@carcosa/database';
import { CarcosaError, type Clock } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import { type AuthLibrary, cookieOf } from './auth-library.ts';
import { LIBRARY_COOKIES } from './library-names.ts';
import type { SessionService } from './session-service.ts';
import { person } from './visitor.ts';

export interface TwoFactorServiceParts {
  db: Queryable;
  clock: Clock;
  library: AuthLibrary;
  sessions: SessionService;
}

type TwoFactorAction = 'user.enable-two-factor' | 'user.disable-two-factor' | 'user.regenerate-recovery-codes';

/**
 * The second factor: codes of an authenticator (TOTP, RFC 6238) and recovery codes. It is asked for after a password. Setting it up
 * and giving it up take the password again, of accounts that have one.
 */
export class TwoFactorService {
  readonly #parts: TwoFactorServiceParts;

  constructor(parts: TwoFactorServiceParts) {
    this.#parts = parts;
  }

  /** Makes a secret, which counts from when {@link confirm} has seen a code of it. @throws CarcosaError `conflict` when one counts already */
  async setUp(actor: Actor, password: string | undefined): Promise<TwoFactorSetup> {
    const headers = await this.#headers(actor);
    const body = { method: 'totp' as const, ...withPassword(password) };
    const made = await this.#parts.library.call(({ api }) => api.enableTwoFactor({ body, headers }));
    if (!('totpURI' in made) || !made.totpURI) throw new CarcosaError('conflict');
    const secret = new URL(made.totpURI).searchParams.get('secret') ?? '';
    return { otpauthUrl: made.totpURI, secret, recoveryCodes: made.backupCodes ?? [] };
  }

  /** From now on a password is not enough. Begins a new session in the place of the one that asks. @throws CarcosaError `invalid_code` */
  async confirm(actor: Actor, code: string): Promise<LoggedIn> {
    const headers = await this.#headers(actor);
    const done = await this.#parts.library.call(({ api }) =>
      api.verifyTOTP({ body: { code }, headers, returnHeaders: true }),
    );
    return await this.#switched(actor, done.headers, 'user.enable-two-factor', code);
  }

  /** A password is enough again. Begins a new session in the place of the one that asks. */
  async disable(actor: Actor, password: string | undefined): Promise<LoggedIn> {
    const headers = await this.#headers(actor);
    const done = await this.#parts.library.call(({ api }) =>
      api.disableTwoFactor({ body: withPassword(password), headers, returnHeaders: true }),
    );
    return await this.#switched(actor, done.headers, 'user.disable-two-factor');
  }

  /** Ends all recovery codes and makes new ones. */
  async newRecoveryCodes(actor: Actor, password: string | undefined): Promise<{ recoveryCodes: string[] }> {
    const headers = await this.#headers(actor);
    const { backupCodes } = await this.#parts.library.call(({ api }) =>
      api.generateBackupCodes({ body: withPassword(password), headers }),
    );
    await this.#record(actor, 'user.regenerate-recovery-codes');
    return { recoveryCodes: backupCodes };
  }

  async #headers(actor: Actor): Promise<Headers> {
    return this.#parts.library.headersFor(actor, await this.#parts.sessions.libraryToken(actor));
  }

  /** The library puts a new session in the place of the one that changed what its person needs to log in. */
  async #switched(actor: Actor, headers: Headers, action: TwoFactorAction, code?: string): Promise<LoggedIn> {
    const sessionToken = sessionTokenOf(headers);
    // A code that is right while the factor counts already changes nothing.
    if (sessionToken === undefined) throw new CarcosaError('conflict');
    await this.#record(actor, action);
    await this.#parts.sessions.forget(person(actor).id);
    const { sessions } = this.#parts;
    return code === undefined
      ? await sessions.begin(actor, sessionToken)
      : await sessions.beginByCode(actor, sessionToken, code);
  }

  async #record(actor: Actor, action: TwoFactorAction): Promise<void> {
    const resource = { type: 'user', id: person(actor).id } as const;
    await record(this.#parts.db, this.#parts.clock, actor, { action, resource });
  }
}

/** The token in the session cookie that the library sets: `<token>.<signature>`, percent-encoded. */
export function sessionTokenOf(headers: Headers): string | undefined {
  const cookie = cookieOf(headers, LIBRARY_COOKIES.session);
  return cookie === undefined ? undefined : decodeURIComponent(cookie).split('.', 1)[0];
}

const withPassword = (password: string | undefined): { password?: string } =>
  password === undefined ? {} : { password };
