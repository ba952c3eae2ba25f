import { PASSWORD_LENGTH } from '@carcosa/contracts';
import { booleanVariable, CarcosaError, type Environment, readConfig } from '@carcosa/kernel';
import { z } from 'zod';
import type { MailSettings } from './mail/nodemailer-mailer.ts';

/** How people come in, and how mail goes out to them. */
export interface PeopleSettings {
  /** The first owner, made at start where nobody runs the server yet. */
  admin: { email: string; password: string } | undefined;
  mail: MailSettings | undefined;
  requireVerifiedEmail: boolean;
  github: ClientSettings | undefined;
  google: ClientSettings | undefined;
  oidc: (ClientSettings & { issuer: string; name: string }) | undefined;
}

/** A client that was registered with a provider. */
export interface ClientSettings {
  clientId: string;
  clientSecret: string;
}

const issuerUrl = z.url({ protocol: /^https?$/ }).transform((text) => text.replace(/\/+$/, ''));

const PEOPLE_SHAPE = {
  CARCOSA_ADMIN_EMAIL: z
    .email()
    .transform((text) => text.toLowerCase())
    .optional()
    .describe('the e-mail address of the first owner'),
  CARCOSA_ADMIN_PASSWORD: z
    .string()
    .min(PASSWORD_LENGTH.min)
    .max(PASSWORD_LENGTH.max)
    .optional()
    .describe(`${PASSWORD_LENGTH.min} to ${PASSWORD_LENGTH.max} characters`),
  CARCOSA_SMTP_URL: z
    .url({ protocol: /^smtps?$/ })
    .optional()
    .describe('an address such as smtp://user:password@mail.example.com:587'),
  CARCOSA_MAIL_FROM: z
    .string()
    .regex(/^([^<>@\r\n]+ )?<?[^\s<>@]+@[^\s<>@]+>?$/)
    .optional()
    .describe('a sender such as Carcosa <carcosa@example.com>'),
  CARCOSA_REQUIRE_VERIFIED_EMAIL: booleanVariable().optional(),
  CARCOSA_GITHUB_CLIENT_ID: z.string().optional().describe('the client id of a GitHub OAuth app'),
  CARCOSA_GITHUB_CLIENT_SECRET: z.string().optional().describe('the client secret of that app'),
  CARCOSA_GOOGLE_CLIENT_ID: z.string().optional().describe('the client id of a Google OAuth client'),
  CARCOSA_GOOGLE_CLIENT_SECRET: z.string().optional().describe('the client secret of that client'),
  CARCOSA_OIDC_ISSUER: issuerUrl.optional().describe('the address of an OpenID Connect provider'),
  CARCOSA_OIDC_CLIENT_ID: z.string().optional().describe('the client id at that provider'),
  CARCOSA_OIDC_CLIENT_SECRET: z.string().optional().describe('the client secret at that provider'),
  CARCOSA_OIDC_NAME: z.string().max(40).default('OpenID Connect').describe('what its button says'),
};

type Name = keyof typeof PEOPLE_SHAPE;

/** @throws CarcosaError `configuration_invalid`, which names the variables that belong together and are not all set */
export function readPeopleSettings(environment: Environment): PeopleSettings {
  const variables = readConfig(PEOPLE_SHAPE, environment);
  const together = (...names: Name[]): boolean => {
    const absent = names.filter((name) => variables[name] === undefined);
    if (absent.length === names.length) return false;
    if (absent.length === 0) return true;
    const expected = absent.map((name) => `${name} must be ${PEOPLE_SHAPE[name].description}`);
    throw new CarcosaError('configuration_invalid', {
      message: `${names.join(', ')} must be set together: ${expected.join('; ')}`,
    });
  };
  const client = (id: Name, secret: Name): ClientSettings => ({
    clientId: String(variables[id]),
    clientSecret: String(variables[secret]),
  });
  const hasMail = together('CARCOSA_SMTP_URL', 'CARCOSA_MAIL_FROM');
  return {
    admin: together('CARCOSA_ADMIN_EMAIL', 'CARCOSA_ADMIN_PASSWORD')
      ? { email: String(variables.CARCOSA_ADMIN_EMAIL), password: String(variables.CARCOSA_ADMIN_PASSWORD) }
      : undefined,
    mail: hasMail
      ? { smtpUrl: String(variables.CARCOSA_SMTP_URL), from: String(variables.CARCOSA_MAIL_FROM) }
      : undefined,
    // Without mail, nobody could follow the link.
    requireVerifiedEmail: variables.CARCOSA_REQUIRE_VERIFIED_EMAIL ?? hasMail,
    github: together('CARCOSA_GITHUB_CLIENT_ID', 'CARCOSA_GITHUB_CLIENT_SECRET')
      ? client('CARCOSA_GITHUB_CLIENT_ID', 'CARCOSA_GITHUB_CLIENT_SECRET')
      : undefined,
    google: together('CARCOSA_GOOGLE_CLIENT_ID', 'CARCOSA_GOOGLE_CLIENT_SECRET')
      ? client('CARCOSA_GOOGLE_CLIENT_ID', 'CARCOSA_GOOGLE_CLIENT_SECRET')
      : undefined,
    oidc: together('CARCOSA_OIDC_ISSUER', 'CARCOSA_OIDC_CLIENT_ID', 'CARCOSA_OIDC_CLIENT_SECRET')
      ? {
          ...client('CARCOSA_OIDC_CLIENT_ID', 'CARCOSA_OIDC_CLIENT_SECRET'),
          issuer: String(variables.CARCOSA_OIDC_ISSUER),
          name: variables.CARCOSA_OIDC_NAME,
        }
      : undefined,
  };
}
