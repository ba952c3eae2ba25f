import type { Database, Queryable } from '@carcosa/database';
import {
  AccessTokens,
  AuthLibrary,
  knownEmailMail,
  LinkMail,
  PeopleService,
  RefreshTokens,
  resetLink,
  SessionCache,
  SessionService,
  verificationLink,
} from '@carcosa/domain';
import type { Clock, IdGenerator, Logger, Random, UserId } from '@carcosa/kernel';
import { loginProviders } from './login-providers.ts';
import { NodemailerMailer } from './mail/nodemailer-mailer.ts';
import type { PeopleSettings } from './people-config.ts';

export interface PeopleParts {
  database: Database;
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  random: Random;
  logger: Logger;
  secret: string;
  publicUrl: string;
  settings: PeopleSettings;
}

/** The part of the composition that knows people, their sessions, and how mail reaches them. */
export function composePeople(parts: PeopleParts) {
  const { database, publicUrl, settings, ...rest } = parts;
  const common = { ...rest, secret: Buffer.from(parts.secret) };
  const linkMail = new LinkMail({ ...common, mailer: settings.mail ? new NodemailerMailer(settings.mail) : null });
  const sessionCache = new SessionCache(common);
  const sessions = new SessionService({
    ...common,
    sessionCache,
    accessTokens: new AccessTokens(common),
    refreshTokens: new RefreshTokens(common),
  });
  const providers = loginProviders(settings);
  const library = new AuthLibrary({
    ...common,
    ...{ database, publicUrl, providers, requireVerifiedEmail: settings.requireVerifiedEmail },
    onVerificationLink: (user, token) => linkMail.send(verificationLink(publicUrl, user, token)),
    onResetLink: (user, token) => linkMail.send(resetLink(publicUrl, user, token)),
    onKnownEmail: (user) => linkMail.notify(knownEmailMail(publicUrl, user)),
    onSessionEnd: (userId) => sessions.forget(userId as UserId),
  });
  const people = new PeopleService({ ...common, library, sessions });
  return { linkMail, sessionCache, sessions, people };
}
