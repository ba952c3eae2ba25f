import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../support/api.ts';
import { until } from '../support/clock.ts';
import { newEmail, PASSWORD } from '../support/people.ts';
import { type SentryReceiver, startSentryReceiver } from '../support/sentry-receiver.ts';
import { type Server, startServer } from '../support/server.ts';
import { type MailServer, startMailServer } from '../support/smtp.ts';

let sentry: SentryReceiver;
let mail: MailServer;
let server: Server;
beforeAll(async () => {
  sentry = await startSentryReceiver();
  mail = await startMailServer();
  mail.refuse();
  server = await startServer({
    env: {
      ...{ SENTRY_DSN: sentry.dsn, SENTRY_ENVIRONMENT: 'tests', SENTRY_RELEASE: 'carcosa@tests' },
      ...{ CARCOSA_SMTP_URL: mail.url, CARCOSA_MAIL_FROM: 'carcosa@example.com' },
    },
  });
});
afterAll(async () => {
  await server.stop();
  await mail.close();
  await sentry.close();
});

/** A fault that everybody can bring about: the mail server takes nothing. */
async function fault(): Promise<string> {
  const email = newEmail();
  const json = { email, password: PASSWORD, name: 'Cassilda Castaigne' };
  expectData(await server.api('POST', '/auth/register', { key: null, json }), 202);
  return email;
}

describe('with SENTRY_DSN', () => {
  it('a fault is told with its kind and its place in the program, and without anything of a person', async () => {
    const email = await fault();
    const event = await until(() => sentry.events[0], { what: 'an event' });
    expect(event).toMatchObject({
      ...{ message: 'a mail could not be sent', level: 'error', environment: 'tests', release: 'carcosa@tests' },
    });
    const [exception] = event.exception?.values ?? [];
    expect(exception).toMatchObject({ type: 'Error' });
    expect(exception?.stacktrace?.frames.length).toBeGreaterThan(0);
    const all = sentry.texts.join('\n');
    for (const secret of [
      email,
      'Cassilda',
      PASSWORD,
      server.apiKey,
      'server_name',
      '"user"',
      '"request"',
      '"breadcrumbs"',
    ])
      expect(all).not.toContain(secret);
  });

  it('what is no fault is told to nobody', async () => {
    const before = sentry.events.length;
    for (const path of ['/files/file_missing', '/nothing/here']) await server.api('GET', path);
    await server.api('GET', '/files', { key: 'sk_wrong' });
    await fault();
    await until(() => sentry.events.length > before, { what: 'the next event' });
    expect(sentry.events.slice(before).map(({ message }) => message)).toEqual(['a mail could not be sent']);
  });

  it('a receiver that wants no more is asked no more, and requests are answered all the same', async () => {
    sentry.refuse();
    const before = sentry.texts.length;
    await fault();
    await until(() => sentry.texts.length > before, { what: 'the refused event' });
    const after = sentry.texts.length;
    for (let n = 0; n < 5; n++) await fault();
    await until(() => server.logs.split('a mail could not be sent').length >= 8, { what: 'the lines in the log' });
    expect(sentry.texts.length).toBe(after);
  });
});

it('a wrong DSN is told at the start, by name', async () => {
  await expect(startServer({ env: { SENTRY_DSN: 'https://sentry.example.com/x' } })).rejects.toThrow(/SENTRY_DSN/);
});
