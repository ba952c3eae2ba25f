import { hkdfSync } from 'node:crypto';
import { APIError } from '@better-auth/core/error';
import { passkey } from '@better-auth/passkey';
import { PASSWORD_LENGTH } from '@carcosa/contracts';
import type { Database } from '@carcosa/database';
import { accounts, passkeys, sessions, twoFactors, users, verifications } from '@carcosa/database/schema';
import { type IdGenerator, type Logger, type Random, randomToken } from '@carcosa/kernel';
import { drizzleAdapter } from 'better-auth/adapters/drizzle';
import { betterAuth } from 'better-auth/minimal';
import { bearer } from 'better-auth/plugins/bearer';
import { genericOAuth } from 'better-auth/plugins/generic-oauth';
import { twoFactor } from 'better-auth/plugins/two-factor';
import { innermost } from './auth-errors.ts';
import { ADDRESS_HEADER, LINK_SECONDS } from './library-names.ts';
import type { LoginProvider } from './login-providers.ts';
import { REFRESH_TOKEN_SECONDS } from './refresh-tokens.ts';

export interface BetterAuthParts {
  database: Pick<Database, 'db'>;
  /** The root secret. */
  secret: Uint8Array;
  /** Without a "/" at its end. */
  publicUrl: string;
  ids: IdGenerator;
  random: Random;
  logger: Logger;
  providers: readonly LoginProvider[];
  /** Nobody logs in with a password before a link in a mail was followed. */
  requireVerifiedEmail: boolean;
  onVerificationLink: (user: { email: string; name: string }, token: string) => void;
  onResetLink: (user: { email: string; name: string }, token: string) => void;
  /** Somebody registers with an address that has an account already. */
  onKnownEmail: (user: { email: string; name: string }) => void;
  onPasswordReset: (userId: string) => void;
  /** A session has ended, for whatever reason. */
  onSessionEnd: (userId: string) => Promise<void>;
}

/**
 * The library for people, set up for calls inside of the process: it is never given a request from outside, so that our routes stay
 * the only door. Loading this module takes some 0.3 s and 60 MB: see {@link AuthLibrary}.
 */
export function createBetterAuth(parts: BetterAuthParts) {
  const { publicUrl, secret, random } = parts;
  const site = relyingParty(publicUrl);
  return betterAuth({
    appName: 'Carcosa',
    baseURL: `${publicUrl}/api/v1/auth`,
    trustedOrigins: [new URL(publicUrl).origin],
    secret: Buffer.from(hkdfSync('sha256', secret, '', 'carcosa/people', 32)).toString('hex'),
    database: drizzleAdapter(parts.database.db, {
      provider: 'pg',
      schema: {
        user: users,
        session: sessions,
        account: accounts,
        verification: verifications,
        twoFactor: twoFactors,
        passkey: passkeys,
      },
      transaction: true,
    }),
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    logger: { log: (level, message, ...details) => report(parts.logger, level, message, details) },
    advanced: {
      useSecureCookies: false,
      database: {
        generateId: ({ model }) => {
          if (model === 'user') return parts.ids.next('user');
          return model === 'session' ? parts.ids.next('session') : randomToken(random, 24);
        },
      },
      ipAddress: { ipAddressHeaders: [ADDRESS_HEADER], ipv6Subnet: 128 },
    },
    session: { expiresIn: REFRESH_TOKEN_SECONDS, disableSessionRefresh: true },
    // Whoever reads the database cannot follow the links that are under way.
    verification: { storeIdentifier: 'hashed' },
    emailAndPassword: {
      enabled: true,
      minPasswordLength: PASSWORD_LENGTH.min,
      maxPasswordLength: PASSWORD_LENGTH.max,
      requireEmailVerification: parts.requireVerifiedEmail,
      revokeSessionsOnPasswordReset: true,
      resetPasswordTokenExpiresIn: LINK_SECONDS.resetPassword,
      sendResetPassword: async ({ user, token }) => parts.onResetLink(user, token),
      onPasswordReset: async ({ user }) => parts.onPasswordReset(user.id),
      onExistingUserSignUp: async ({ user }) => parts.onKnownEmail(user),
    },
    emailVerification: {
      expiresIn: LINK_SECONDS.verifyEmail,
      sendOnSignUp: parts.requireVerifiedEmail,
      sendVerificationEmail: async ({ user, token }) => parts.onVerificationLink(user, token),
    },
    databaseHooks: {
      session: { delete: { after: async ({ userId }) => parts.onSessionEnd(userId) } },
      // We let people log in with an account elsewhere, and do nothing there in their name: its tokens are not kept.
      account: {
        create: { before: async (account) => ({ data: { ...account, ...NO_TOKENS } }) },
        update: { before: async (account) => ({ data: { ...account, ...NO_TOKENS } }) },
      },
    },
    plugins: [
      bearer(),
      twoFactor({
        issuer: 'Carcosa',
        allowPasswordless: true,
        twoFactorCookieMaxAge: LINK_SECONDS.secondStep,
      }),
      passkey({
        ...{ rpName: 'Carcosa', rpID: site.id, origin: site.origins },
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        authentication: { afterVerification: ({ verification }) => assertSeen(verification.authenticationInfo) },
      }),
      genericOAuth({ config: parts.providers.map((provider) => provider.settings) }),
    ],
  });
}

/** A passkey stands for both factors, so it must have seen its person, not only been at hand. */
function assertSeen({ userVerified }: { userVerified: boolean }): void {
  if (!userVerified) throw new APIError('UNAUTHORIZED', { code: 'AUTHENTICATION_FAILED' });
}

const NO_TOKENS = { accessToken: null, refreshToken: null, idToken: null };

/**
 * The name that passkeys are bound to, and the pages that may ask for them. Browsers know no passkeys for bare addresses: a server
 * at 127.0.0.1 has them under its name `localhost`.
 */
function relyingParty(publicUrl: string): { id: string; origins: string[] } {
  const url = new URL(publicUrl);
  const loopback = /^(127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (!loopback) return { id: url.hostname, origins: [url.origin] };
  return { id: 'localhost', origins: [`${url.protocol}//localhost${url.port === '' ? '' : `:${url.port}`}`] };
}

/** Its warnings are of wrong passwords and the like, and name e-mail addresses: what matters of them is in our own record. */
function report(logger: Logger, level: string, message: string, details: unknown[]): void {
  if (level !== 'error') return;
  const error = innermost(details.find((detail) => detail instanceof Error));
  logger.warn(error ? { err: error } : {}, `better-auth: ${message}`);
}
