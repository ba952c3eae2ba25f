import { AsyncLocalStorage } from 'node:async_hooks';
import type { ChangePasswordBody, LoggedIn, ResetPasswordBody, UpdateMeBody, User } from '@carcosa/contracts';
import { findUser, findUserByEmail, markEmailVerified, type Queryable, updateUser } from '@carcosa/database';
import { CarcosaError, type Clock, type Logger, type UserId } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import { changedFields } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import type { LinkMail } from '../mail/link-mail.ts';
import { type AuthLibrary, headersOf } from './auth-library.ts';
import type { SessionService } from './session-service.ts';
import { toUser } from './user-view.ts';
import { person, type Visitor } from './visitor.ts';

export interface AccountServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  library: AuthLibrary;
  sessions: SessionService;
  linkMail: LinkMail;
  logger: Logger;
}

/** Profile, password and e-mail address of a person. */
export class AccountService {
  readonly #parts: AccountServiceParts;
  readonly #underWay = new Set<Promise<unknown>>();
  /** Whose password the library set, while it does. */
  readonly #resetting = new AsyncLocalStorage<{ userId?: UserId }>();

  constructor(parts: AccountServiceParts) {
    this.#parts = parts;
  }

  async update(actor: Actor, change: UpdateMeBody): Promise<User> {
    const { id } = person(actor);
    return await this.#parts.transaction(async (tx) => {
      const before = await findUser(tx, id);
      const after = await updateUser(tx, id, change);
      if (!before || !after) throw new CarcosaError('unauthenticated');
      const { updatedAt: _, ...fields } = toUser(after);
      const changed = changedFields({ ...fields, name: before.name, image: before.image }, fields);
      await record(tx, this.#parts.clock, actor, { action: 'user.update', resource: { type: 'user', id }, ...changed });
      return toUser(after);
    });
  }

  /**
   * Sets a new password, ends every session of the account, and begins a new one for who asks.
   * @throws CarcosaError `invalid_credentials` for a wrong present password, `no_password`
   */
  async changePassword(actor: Actor, input: ChangePasswordBody): Promise<LoggedIn> {
    const { id } = person(actor);
    const { library, sessions } = this.#parts;
    const headers = library.headersFor(actor, await sessions.libraryToken(actor));
    const body = { ...input, revokeOtherSessions: true };
    const { token } = await library.call(({ api }) => api.changePassword({ body, headers }));
    await this.#record(actor, 'user.change-password', id);
    await sessions.forget(id);
    return await sessions.begin(actor, token ?? '');
  }

  /** Sends a link to set a new password, if there is such an account; nobody learns whether there is, also not by the time it takes. */
  forgotPassword(visitor: Visitor, email: string): void {
    this.#later(async () => {
      await this.#parts.library.call(({ api }) =>
        api.requestPasswordReset({ body: { email }, headers: headersOf(visitor) }),
      );
      const user = await findUserByEmail(this.#parts.db, email);
      if (user) await this.#record(visitor, 'user.request-password-reset', user.id);
    });
  }

  /** Sets the password of the account that a link was sent to, and ends its sessions. @throws CarcosaError `link_invalid` */
  async resetPassword(visitor: Visitor, body: ResetPasswordBody): Promise<void> {
    const done: { userId?: UserId } = {};
    await this.#resetting.run(done, () =>
      this.#parts.library.call(({ api }) => api.resetPassword({ body, headers: headersOf(visitor) })),
    );
    const { userId } = done;
    if (!userId) return;
    await this.#parts.transaction(async (tx) => {
      // Who could read the mail has shown that the address is hers.
      if (this.#parts.linkMail.isConfigured) await markEmailVerified(tx, userId);
      await record(tx, this.#parts.clock, visitor, {
        action: 'user.reset-password',
        resource: { type: 'user', id: userId },
      });
    });
    await this.#parts.sessions.forget(userId);
  }

  /** Told by the library while {@link resetPassword} runs. */
  passwordWasReset(userId: UserId): void {
    const done = this.#resetting.getStore();
    if (done) done.userId = userId;
  }

  /** Sends a link to confirm the address, if an account has it that did not yet; nobody learns whether one has. */
  sendVerification(visitor: Visitor, email: string): void {
    this.#later(() =>
      this.#parts.library.call(({ api }) =>
        api.sendVerificationEmail({ body: { email }, headers: headersOf(visitor) }),
      ),
    );
  }

  /** Resolves when what was begun behind an answer has ended. */
  async drain(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Does what takes longer for an account that is there than for one that is not, when the answer is out. */
  #later(work: () => Promise<unknown>): void {
    const running: Promise<unknown> = work()
      .catch((error: unknown) =>
        this.#parts.logger.error({ err: error }, 'a link that was asked for could not be sent'),
      )
      .finally(() => this.#underWay.delete(running));
    this.#underWay.add(running);
  }

  /** @throws CarcosaError `link_invalid` */
  async verifyEmail(visitor: Visitor, token: string): Promise<void> {
    await this.#parts.library.call(({ api }) => api.verifyEmail({ query: { token }, headers: headersOf(visitor) }));
    const { decodeJwt } = await import('jose');
    const { email } = decodeJwt(token);
    const user = typeof email === 'string' ? await findUserByEmail(this.#parts.db, email) : null;
    if (user) await this.#record(visitor, 'user.verify-email', user.id);
  }

  async #record(
    actor: Visitor,
    action: 'user.change-password' | 'user.request-password-reset' | 'user.verify-email',
    id: UserId,
  ): Promise<void> {
    await record(this.#parts.db, this.#parts.clock, actor, { action, resource: { type: 'user', id } });
  }
}
