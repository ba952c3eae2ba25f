import type { CheckMail, LoggedIn, LoginBody, RegisterBody, SecondStep, SecondStepBody } from '@carcosa/contracts';
import { findUserByEmail, markEmailVerified, type Queryable } from '@carcosa/database';
import { CarcosaError, type Clock, isCarcosaError } from '@carcosa/kernel';
import { SYSTEM } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import type { AuthLibrary } from './auth-library.ts';
import { claimServer, isUnclaimed } from './first-owner.ts';
import { LINK_SECONDS } from './library-names.ts';
import type { SessionService } from './session-service.ts';
import type { Visitor } from './visitor.ts';

export interface PeopleServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  library: AuthLibrary;
  sessions: SessionService;
  /** Nobody logs in with a password before a link in a mail was followed. */
  requireVerifiedEmail: boolean;
}

const CHECK_MAIL: CheckMail = {
  verificationRequired: true,
  message: 'Follow the link in the mail that was sent to this address.',
};

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
  async register(visitor: Visitor, input: RegisterBody): Promise<LoggedIn | CheckMail> {
    const { email, password, name = email.slice(0, email.indexOf('@')) } = input;
    const made = await this.#signUp(visitor, { email, password, name });
    if (made === null) return CHECK_MAIL;
    const { id, sessionToken } = made;
    await this.#recordNew(visitor, email, id);
    await this.claim();
    if (sessionToken === null) return CHECK_MAIL;
    return await this.#parts.sessions.begin(visitor, sessionToken);
  }

  /** @throws CarcosaError `invalid_credentials`, the same for an unknown address; `email_unverified` after a right password */
  async logIn(visitor: Visitor, input: LoginBody): Promise<LoggedIn | SecondStep> {
    const done = await this.#parts.library.signIn(input, visitor);
    if ('sessionToken' in done) return await this.#parts.sessions.begin(visitor, done.sessionToken);
    return {
      twoFactorRequired: true,
      twoFactorToken: done.twoFactorToken,
      methods: ['totp', 'recovery-code'],
      expiresIn: LINK_SECONDS.secondStep,
    };
  }

  /** @throws CarcosaError `invalid_code`, `second_step_expired`, `second_step_locked` */
  async secondStep(visitor: Visitor, input: SecondStepBody): Promise<LoggedIn> {
    const { library, sessions } = this.#parts;
    const sessionToken = await library.secondStep(input, visitor);
    return await sessions.beginByCode(visitor, sessionToken, input.code ?? input.recoveryCode ?? '');
  }

  /**
   * Makes the owner whom the environment names, where nobody runs the server yet; does nothing ever after. An account that is there
   * already keeps its password.
   */
  async ensureOwner({ email, password }: { email: string; password: string }): Promise<void> {
    if (!(await isUnclaimed(this.#parts.db))) return;
    try {
      const { id } = await this.#parts.library.signUp({ email, password, name: 'Administrator' }, SYSTEM);
      await this.#recordNew(SYSTEM, email, id);
    } catch (error) {
      // Another node was faster, or an earlier start got this far.
      if (!isCarcosaError(error, 'email_taken') && !(await this.#wasFaster(error, email))) throw error;
    }
    const owner = await findUserByEmail(this.#parts.db, email);
    await this.#parts.transaction(async (tx) => {
      if (owner) await markEmailVerified(tx, owner.id);
      await claimServer(tx, this.#parts.clock, owner?.id);
    });
  }

  /** Gives a server that nobody runs to its first account; see {@link claimServer}. */
  async claim(): Promise<void> {
    if (this.#claimed) return;
    const owner = await this.#parts.transaction((tx) => claimServer(tx, this.#parts.clock));
    this.#claimed = true;
    if (owner) await this.#parts.sessions.forget(owner);
  }

  /** Null where nobody shall learn that the same address was registered a moment ago. */
  async #signUp(visitor: Visitor, input: { email: string; password: string; name: string }) {
    try {
      return await this.#parts.library.signUp(input, visitor);
    } catch (error) {
      const known = isCarcosaError(error, 'email_taken') || (await this.#wasFaster(error, input.email));
      if (!known) throw error;
      if (this.#parts.requireVerifiedEmail) return null;
      throw new CarcosaError('email_taken');
    }
  }

  /** Whether an account could not be made because somebody else had the same address a moment before. */
  async #wasFaster(error: unknown, email: string): Promise<boolean> {
    return isCarcosaError(error, 'conflict') && (await findUserByEmail(this.#parts.db, email)) !== null;
  }

  /** An address that was known already makes no account, and no entry that would tell so. */
  async #recordNew(visitor: Visitor, email: string, id: string): Promise<void> {
    const user = await findUserByEmail(this.#parts.db, email);
    if (user?.id !== id) return;
    const { db, clock } = this.#parts;
    await record(db, clock, visitor, { action: 'user.register', resource: { type: 'user', id }, after: { email } });
  }
}
