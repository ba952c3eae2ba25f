import type { Database, Queryable } from '@carcosa/database';
import {
  AccessTokens,
  AccountRemoval,
  AccountService,
  type Addressee,
  AuthLibrary,
  EmailChangeService,
  knownEmailMail,
  LinkMail,
  PasskeyService,
  PeopleService,
  ProviderLoginService,
  RefreshTokens,
  resetLink,
  SessionCache,
  SessionService,
  TwoFactorService,
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
  const mailer = settings.mail ? new NodemailerMailer(settings.mail) : null;
  const checkMail = mailer ? (): Promise<void> => mailer.check() : undefined;
  const linkMail = new LinkMail({ ...common, mailer });
  const sessionCache = new SessionCache(common);
  const sessions = new SessionService({
    ...common,
    sessionCache,
    accessTokens: new AccessTokens(common),
    refreshTokens: new RefreshTokens({ ...common, onEnd: (userId) => sessionCache.invalidate(userId) }),
  });
  const requireVerifiedEmail = settings.requireVerifiedEmail;
  const libraryParts = {
    ...common,
    ...{ database, publicUrl, requireVerifiedEmail },
    onVerificationLink: (user: Addressee, token: string): void => {
      // Whoever set the server up need not prove who she is.
      if (user.email !== settings.admin?.email) linkMail.send(verificationLink(publicUrl, user, token));
    },
    onResetLink: (user: Addressee, token: string): void => linkMail.send(resetLink(publicUrl, user, token)),
    onKnownEmail: (user: Addressee): void => linkMail.notify(knownEmailMail(publicUrl, user)),
    onSessionEnd: (userId: string): Promise<void> => sessions.forget(userId as UserId),
    onPasswordReset: (userId: string): void => accounts.passwordWasReset(userId as UserId),
  };
  const library = new AuthLibrary({ ...libraryParts, providers: [] });
  const peopleParts = { ...common, library, sessions, linkMail };
  const accounts = new AccountService(peopleParts);
  const emailChanges = new EmailChangeService({ ...peopleParts, publicUrl });
  const accountRemoval = new AccountRemoval(peopleParts);
  const people = new PeopleService({ ...peopleParts, requireVerifiedEmail });
  const providers = loginProviders(settings).map((provider) => ({
    provider,
    library: new AuthLibrary({ ...libraryParts, providers: [provider] }),
  }));
  const providerLogins = new ProviderLoginService({ people, sessions, providers, publicUrl });
  const twoFactor = new TwoFactorService(peopleParts);
  const passkeys = new PasskeyService(peopleParts);
  return {
    ...{ mailer, checkMail, linkMail, sessionCache, sessions, people, accounts, emailChanges, accountRemoval },
    ...{ twoFactor, passkeys, providerLogins },
  };
}
