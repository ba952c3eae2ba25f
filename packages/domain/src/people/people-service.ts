import type { CheckMail, LoggedIn, LoginBody, RegisterBody, SecondStep, SecondStepBody } from '@carcosa/contracts';
import type { Queryable } from '@carcosa/database';
import type { AuthLibrary } from './auth-library.ts';
import { claimServer } from './first-owner.ts';
import { LINK_SECONDS } from './library-names.ts';
import type { Whence } from './refresh-tokens.ts';
import type { SessionService } from './session-service.ts';

export interface PeopleServiceParts {
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  library: AuthLibrary;
  sessions: SessionService;
}

/** How people come in: they register, or log in with a password and, where they have set one up, a second factor. */
export class PeopleService {
  readonly #parts: PeopleServiceParts;
  #claimed = false;

  constructor(parts: PeopleServiceParts) {
    this.#parts = parts;
  }

  /**
   * Makes an account and logs in; or, where e-mail addresses must be verified, sends a mail and tells nobody whether the address was
   * known.
   * @throws CarcosaError `email_taken`, only where addresses need not be verified
   */
  async register(input: RegisterBody, whence: Whence): Promise<LoggedIn | CheckMail> {
    const { email, password, name = email.slice(0, email.indexOf('@')) } = input;
    const { sessionToken } = await this.#parts.library.signUp({ email, password, name }, whence);
    await this.claim();
    if (sessionToken === null)
      return { verificationRequired: true, message: 'Follow the link in the mail that was sent to this address.' };
    return await this.#parts.sessions.begin(sessionToken);
  }

  /** @throws CarcosaError `invalid_credentials`, the same for an unknown address; `email_unverified` after a right password */
  async logIn(input: LoginBody, whence: Whence): Promise<LoggedIn | SecondStep> {
    const done = await this.#parts.library.signIn(input, whence);
    if ('sessionToken' in done) return await this.#parts.sessions.begin(done.sessionToken);
    return {
      twoFactorRequired: true,
      twoFactorToken: done.twoFactorToken,
      methods: ['totp', 'recovery-code'],
      expiresIn: LINK_SECONDS.secondStep,
    };
  }

  /** @throws CarcosaError `invalid_code`, `second_step_expired`, `second_step_locked` */
  async secondStep(input: SecondStepBody, whence: Whence): Promise<LoggedIn> {
    return await this.#parts.sessions.begin(await this.#parts.library.secondStep(input, whence));
  }

  /** Gives a server that nobody runs to its first account; see {@link claimServer}. */
  async claim(): Promise<void> {
    if (this.#claimed) return;
    const owner = await this.#parts.transaction(claimServer);
    this.#claimed = true;
    if (owner) await this.#parts.sessions.forget(owner);
  }
}
