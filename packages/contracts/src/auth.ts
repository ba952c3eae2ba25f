import { z } from 'zod';
import { MemberRole } from './access.ts';
import { StorableText, Timestamp } from './common.ts';

/** Shortest and longest password, in characters. */
export const PASSWORD_LENGTH = { min: 8, max: 128 } as const;

/** Compared in lower case: nobody means two people by two spellings. */
export const Email = z
  .string()
  .trim()
  .toLowerCase()
  .pipe(z.email().max(254))
  .describe('an e-mail address, in any case');

const NewPassword = StorableText.min(PASSWORD_LENGTH.min)
  .max(PASSWORD_LENGTH.max)
  .describe(`${PASSWORD_LENGTH.min} to ${PASSWORD_LENGTH.max} characters`);

// What was a password once is checked by its hash alone: rules may have changed since it was set.
const PresentPassword = z.string().min(1).max(1000);
const Token = z.string().min(1).max(4096);
const PersonName = StorableText.trim().min(1).max(100);

/** A person, as she sees herself. */
export const User = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  image: z.string().nullable(),
  emailVerified: z.boolean(),
  twoFactorEnabled: z.boolean(),
  isServerAdmin: z.boolean().describe('runs the server; gives no right in organizations'),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type User = z.infer<typeof User>;

/** Who is asking, and where she is a member. */
export const Me = User.extend({
  sessionId: z.string(),
  organizations: z.array(z.object({ id: z.string(), name: z.string(), slug: z.string(), role: MemberRole })),
});
export type Me = z.infer<typeof Me>;

export const SessionTokens = z.object({
  accessToken: z.string().describe('for `Authorization: Bearer`; see `expiresIn`'),
  refreshToken: z.string().describe('exchange it once, within seven days, for the next pair'),
  tokenType: z.literal('Bearer'),
  expiresIn: z.number().int().describe('seconds that the access token serves'),
  refreshExpiresIn: z.number().int().describe('seconds that the refresh token serves'),
});
export type SessionTokens = z.infer<typeof SessionTokens>;

/** What whoever has just logged in gets. A browser of our own origin gets the tokens as HTTP-only cookies too. */
export const LoggedIn = SessionTokens.extend({ user: User, sessionId: z.string() });
export type LoggedIn = z.infer<typeof LoggedIn>;

/** The password was right, and a second step is to follow. */
export const SecondStep = z.object({
  twoFactorRequired: z.literal(true),
  twoFactorToken: z.string().describe('goes with the code to POST /auth/login/two-factor'),
  methods: z.array(z.enum(['totp', 'recovery-code'])),
  expiresIn: z.number().int().describe('seconds until the second step must be done'),
});
export type SecondStep = z.infer<typeof SecondStep>;

/** Answered to every registration while e-mail addresses must be verified, whether the address was known or not. */
export const CheckMail = z.object({ verificationRequired: z.literal(true), message: z.string() });
export type CheckMail = z.infer<typeof CheckMail>;

export const RegisterBody = z.strictObject({
  email: Email,
  password: NewPassword,
  name: PersonName.optional().describe('absent: what stands before the @'),
});
export type RegisterBody = z.infer<typeof RegisterBody>;

export const LoginBody = z.strictObject({ email: Email, password: PresentPassword });
export type LoginBody = z.infer<typeof LoginBody>;

export const SecondStepBody = z
  .strictObject({
    twoFactorToken: Token,
    code: z
      .string()
      .regex(/^\d{6}$/)
      .optional()
      .describe('the six digits that the authenticator shows'),
    recoveryCode: z.string().trim().min(4).max(64).optional().describe('one of the recovery codes, instead of a code'),
  })
  .refine((body) => (body.code === undefined) !== (body.recoveryCode === undefined), {
    message: 'send either code or recoveryCode',
  });
export type SecondStepBody = z.infer<typeof SecondStepBody>;

/** Without a body, the cookie's refresh token counts. */
export const RefreshBody = z.strictObject({ refreshToken: Token.optional() }).nullish();
export type RefreshBody = z.infer<typeof RefreshBody>;

export const UpdateMeBody = z
  .strictObject({
    name: PersonName.optional(),
    image: z
      .url({ protocol: /^https$/ })
      .max(2048)
      .nullable()
      .optional()
      .describe('the https address of a picture; null for none'),
  })
  .refine((body) => Object.keys(body).length > 0, { message: 'say at least one thing to change' });
export type UpdateMeBody = z.infer<typeof UpdateMeBody>;

export const ChangePasswordBody = z.strictObject({
  currentPassword: PresentPassword,
  newPassword: NewPassword,
});
export type ChangePasswordBody = z.infer<typeof ChangePasswordBody>;

/** Accounts that have a password say it again: whoever found an open browser must not take the account along. */
export const ChangeEmailBody = z.strictObject({ newEmail: Email, password: PresentPassword.optional() });
export type ChangeEmailBody = z.infer<typeof ChangeEmailBody>;
export const ConfirmEmailBody = z.strictObject({ token: Token });

export const EmailBody = z.strictObject({ email: Email });
export const ResetPasswordBody = z.strictObject({ token: Token, newPassword: NewPassword });
export type ResetPasswordBody = z.infer<typeof ResetPasswordBody>;
export const VerifyEmailBody = z.strictObject({ token: Token });

/** One place where a person is logged in. */
export const Session = z.object({
  id: z.string(),
  current: z.boolean().describe('the one that asks'),
  ipAddress: z.string().nullable(),
  userAgent: z.string().nullable(),
  createdAt: Timestamp,
  lastUsedAt: Timestamp.describe('when it was last refreshed'),
  expiresAt: Timestamp,
});
export type Session = z.infer<typeof Session>;

/** A link that would have been sent by e-mail, for a server administrator to hand on while no mail server is configured. */
export const PendingLink = z.object({
  kind: z.enum(['verify-email', 'reset-password', 'change-email', 'invitation']),
  email: z.string(),
  url: z.string(),
  createdAt: Timestamp,
  expiresAt: Timestamp,
});
export type PendingLink = z.infer<typeof PendingLink>;

/** What an authenticator app is given. Nothing changes before a code of it was confirmed. */
export const TwoFactorSetup = z.object({
  otpauthUrl: z.string().describe('otpauth://totp/… for the authenticator, as text or as a QR code'),
  secret: z.string().describe('the same secret in base32, to be typed in'),
  recoveryCodes: z.array(z.string()).describe('each serves once instead of a code; shown this one time'),
});
export type TwoFactorSetup = z.infer<typeof TwoFactorSetup>;

export const RecoveryCodes = z.object({ recoveryCodes: TwoFactorSetup.shape.recoveryCodes });
/** Accounts that have a password say it again. */
export const PasswordBody = z.strictObject({ password: PresentPassword.optional() }).nullish();
export type PasswordBody = z.infer<typeof PasswordBody>;
export const CodeBody = z.strictObject({ code: z.string().regex(/^\d{6}$/) });

/** A JSON object of WebAuthn, as browsers make and read it by `parseCreationOptionsFromJSON` and `toJSON`. */
const WebAuthnJson = z.record(z.string(), z.unknown());

/** A ceremony of WebAuthn that has begun: its options, and what to send back with the authenticator's answer. */
export const PasskeyCeremony = z.object({ options: WebAuthnJson, challengeToken: z.string() });
export type PasskeyCeremony = z.infer<typeof PasskeyCeremony>;

const credential = { id: z.string().max(2048), rawId: z.string().max(2048), type: z.literal('public-key') };
const bytes = z.string().max(65_536).describe('base64url');
const extensions = { clientExtensionResults: WebAuthnJson.default({}) };

/** What `navigator.credentials.create` gave, as its `toJSON` writes it. */
export const PasskeyRegistrationBody = z.strictObject({
  challengeToken: Token,
  response: z.looseObject({
    ...credential,
    ...extensions,
    response: z.looseObject({ clientDataJSON: bytes, attestationObject: bytes }),
  }),
  name: PersonName.optional(),
});
export type PasskeyRegistrationBody = z.infer<typeof PasskeyRegistrationBody>;

/** What `navigator.credentials.get` gave, as its `toJSON` writes it. */
export const PasskeyLoginBody = z.strictObject({
  challengeToken: Token,
  response: z.looseObject({
    ...credential,
    ...extensions,
    response: z.looseObject({ clientDataJSON: bytes, authenticatorData: bytes, signature: bytes }),
  }),
});
export type PasskeyLoginBody = z.infer<typeof PasskeyLoginBody>;

export const Passkey = z.object({
  id: z.string(),
  name: z.string().nullable(),
  deviceType: z.string().describe('"singleDevice", or "multiDevice" when it is synchronized'),
  backedUp: z.boolean(),
  createdAt: Timestamp,
});
export type Passkey = z.infer<typeof Passkey>;
export const RenamePasskeyBody = z.strictObject({ name: PersonName });

/** A place elsewhere where one can log in. */
export const LoginProviderView = z.object({
  id: z.string(),
  name: z.string(),
  startUrl: z.string().describe('where a browser goes to log in there'),
});
export type LoginProviderView = z.infer<typeof LoginProviderView>;

/** A path on this server: never the address of another one, in whatever spelling. */
export const ReturnTo = z
  .string()
  .max(2000)
  .regex(/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/)
  .describe('a path on this server where the browser goes afterwards');
