import { describe, expect, it } from 'vitest';
import { readPeopleSettings } from './people-config.ts';

const MAIL = { CARCOSA_SMTP_URL: 'smtps://u:p@mail.example.com', CARCOSA_MAIL_FROM: 'Carcosa <c@example.com>' };

it('without variables has no owner, mail or providers', () => {
  expect(readPeopleSettings({})).toEqual({
    admin: undefined,
    mail: undefined,
    requireVerifiedEmail: false,
    github: undefined,
    google: undefined,
    oidc: undefined,
  });
});

describe('reads', () => {
  it('the owner, in lower case', () => {
    const settings = readPeopleSettings({
      CARCOSA_ADMIN_EMAIL: 'A@Example.com',
      CARCOSA_ADMIN_PASSWORD: 'long enough',
    });
    expect(settings.admin).toEqual({ email: 'a@example.com', password: 'long enough' });
  });

  it('mail, with which addresses are verified unless that is given up', () => {
    expect(readPeopleSettings(MAIL)).toMatchObject({
      mail: { smtpUrl: MAIL.CARCOSA_SMTP_URL },
      requireVerifiedEmail: true,
    });
    expect(readPeopleSettings({ ...MAIL, CARCOSA_REQUIRE_VERIFIED_EMAIL: 'no' }).requireVerifiedEmail).toBe(false);
  });

  it('a provider, without the "/" at the end of its address', () => {
    const { oidc } = readPeopleSettings({
      CARCOSA_OIDC_ISSUER: 'https://id.example.com/realm/',
      CARCOSA_OIDC_CLIENT_ID: 'id',
      CARCOSA_OIDC_CLIENT_SECRET: 'very-secret',
    });
    expect(oidc).toEqual({
      issuer: 'https://id.example.com/realm',
      clientId: 'id',
      clientSecret: 'very-secret',
      name: 'OpenID Connect',
    });
  });
});

it.each([
  ['half of an owner', { CARCOSA_ADMIN_EMAIL: 'a@example.com' }, /CARCOSA_ADMIN_PASSWORD must be/],
  ['a short password', { CARCOSA_ADMIN_EMAIL: 'a@example.com', CARCOSA_ADMIN_PASSWORD: 'secret' }, /8 to 128/],
  ['an owner without an address', { CARCOSA_ADMIN_EMAIL: 'root', CARCOSA_ADMIN_PASSWORD: 'very-secret' }, /e-mail/],
  ['mail without a sender', { CARCOSA_SMTP_URL: MAIL.CARCOSA_SMTP_URL }, /CARCOSA_MAIL_FROM must be/],
  [
    'another protocol',
    { ...MAIL, CARCOSA_SMTP_URL: 'http://u:very-secret@mail.example.com' },
    /CARCOSA_SMTP_URL must be/,
  ],
  ['a sender of two lines', { ...MAIL, CARCOSA_MAIL_FROM: 'a@example.com\r\nBcc: b@example.com' }, /CARCOSA_MAIL_FROM/],
  ['a provider without a secret', { CARCOSA_GITHUB_CLIENT_ID: 'id' }, /CARCOSA_GITHUB_CLIENT_SECRET must be/],
  ['an issuer that is none', { CARCOSA_OIDC_ISSUER: 'id.example.com' }, /CARCOSA_OIDC_ISSUER must be/],
])('refuses %s, and repeats no secret', (_, environment, message) => {
  expect(() => readPeopleSettings(environment)).toThrow(message);
  expect(() => readPeopleSettings(environment)).not.toThrow(/very-secret/);
});
