import { hash } from 'node:crypto';
import type { ChangeEmailBody } from '@carcosa/contracts';
import {
  changeEmail,
  deleteResetLinks,
  findUser,
  findUserByEmail,
  insertVerification,
  isUniqueViolation,
  type Queryable,
  takeVerification,
} from '@carcosa/database';
import { CarcosaError, type Clock, type Logger, type Random, randomToken, type UserId } from '@carcosa/kernel';
import { z } from 'zod';
import type { Actor, UserActor } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import type { LinkMail } from '../mail/link-mail.ts';
import { LINK_SECONDS } from './library-names.ts';
import { changeEmailLink, emailChangedMail, knownEmailMail } from './mail-texts.ts';
import { assertPassword, type PresentPasswordParts } from './present-password.ts';
import { person, type Visitor } from './visitor.ts';

export interface EmailChangeServiceParts extends PresentPasswordParts {
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  random: Random;
  linkMail: LinkMail;
  logger: Logger;
  /** Without a "/" at its end. */
  publicUrl: string;
}

const Pending = z.object({ userId: z.string(), from: z.string(), to: z.string() });

const identifierOf = (token: string): string => `change-email:${hash('sha256', token)}`;

/** Gives an account another e-mail address, once who has the account has shown that she reads the mail there. */
export class EmailChangeService {
  readonly #parts: EmailChangeServiceParts;
  readonly #underWay = new Set<Promise<void>>();

  constructor(parts: EmailChangeServiceParts) {
    this.#parts = parts;
  }

  /**
   * Sends a link to the new address. Nobody learns whether somebody else has it, also not by the time it takes: its owner is told.
   * @throws CarcosaError `invalid_credentials` for a wrong password
   */
  async request(actor: Actor, { newEmail, password }: ChangeEmailBody): Promise<void> {
    const user = person(actor);
    await assertPassword(this.#parts, user, password);
    const sending: Promise<void> = this.#send(user, newEmail)
      .catch((error: unknown) =>
        this.#parts.logger.error({ err: error }, 'the link to a new address could not be sent'),
      )
      .finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  /**
   * Makes the address that a link was sent to that of the account. Tells the former address, and ends the links to set a new password
   * that are under way there.
   * @throws CarcosaError `link_invalid`; `email_taken` when somebody else registered with it meanwhile
   */
  async confirm(visitor: Visitor, token: string): Promise<void> {
    const { transaction, clock, linkMail, publicUrl } = this.#parts;
    try {
      const { before, to } = await transaction(async (tx) => {
        const value = await takeVerification(tx, identifierOf(token), new Date(clock.now()));
        if (value === null) throw new CarcosaError('link_invalid');
        const pending = Pending.parse(JSON.parse(value));
        const id = pending.userId as UserId;
        const [former, changed] = [await findUser(tx, id), await changeEmail(tx, id, pending)];
        if (!former || !changed) throw new CarcosaError('link_invalid');
        await deleteResetLinks(tx, id);
        const [before, after] = [{ email: pending.from }, { email: pending.to }];
        await record(tx, clock, visitor, {
          ...{ action: 'user.change-email', resource: { type: 'user', id }, before, after },
        });
        return { before: former, to: pending.to };
      });
      linkMail.notify(emailChangedMail(publicUrl, before, to));
    } catch (error) {
      throw isUniqueViolation(error, 'users_email_unique') ? new CarcosaError('email_taken') : error;
    }
  }

  /** Resolves when what was begun behind an answer has ended. */
  async drain(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #send(actor: UserActor, newEmail: string): Promise<void> {
    const { db, clock, random, linkMail, publicUrl } = this.#parts;
    const [user, owner] = [await findUser(db, actor.id), await findUserByEmail(db, newEmail)];
    if (!user || user.email === newEmail) return;
    const resource = { type: 'user', id: user.id } as const;
    await record(db, clock, actor, { action: 'user.request-email-change', resource });
    if (owner) {
      linkMail.notify(knownEmailMail(publicUrl, owner));
      return;
    }
    const token = randomToken(random, 43);
    const now = clock.now();
    await insertVerification(db, {
      id: randomToken(random, 24),
      identifier: identifierOf(token),
      value: JSON.stringify({ userId: user.id, from: user.email, to: newEmail }),
      expiresAt: new Date(now + LINK_SECONDS.changeEmail * 1000),
      now: new Date(now),
    });
    linkMail.send(changeEmailLink(publicUrl, { email: newEmail, name: user.name }, token));
  }
}
