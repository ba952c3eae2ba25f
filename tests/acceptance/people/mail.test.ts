import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../../support/api.ts';
import { until } from '../../support/clock.ts';
import { logIn, newEmail, PASSWORD } from '../../support/people.ts';
import { type Server, startServer } from '../../support/server.ts';
import { linkOf, type MailServer, SMTP_PASSWORD, startMailServer } from '../../support/smtp.ts';

let mail: MailServer;
let server: Server;
beforeAll(async () => {
  mail = await startMailServer();
  server = await startServer({
    env: { CARCOSA_SMTP_URL: mail.url, CARCOSA_MAIL_FROM: 'Carcosa <carcosa@example.com>' },
  });
});
afterAll(async () => {
  await server.stop();
  await mail.close();
});

const post = (path: string, json: unknown) => server.api('POST', path, { key: null, json });

async function registered(): Promise<{ email: string; token: string }> {
  const email = newEmail();
  expectData(await post('/auth/register', { email, password: PASSWORD, name: 'Cassilda' }), 202);
  return { email, token: linkOf((await mail.next(email)).text).token };
}

describe('while e-mail addresses are verified', () => {
  it('registration sends a mail that a person can read, from the configured sender', async () => {
    const email = newEmail();
    const answer = expectData(await post('/auth/register', { email, password: PASSWORD, name: 'Cassilda' }), 202);
    expect(answer).toEqual({ verificationRequired: true, message: expect.stringMatching(/mail/) });
    const sent = await mail.next(email);
    expect(sent).toMatchObject({
      from: { name: 'Carcosa', address: 'carcosa@example.com' },
      to: [{ address: email }],
      subject: 'Confirm your e-mail address',
    });
    expect(sent.text).toContain('Hello Cassilda');
    expect(linkOf(sent.text).url.href).toMatch(`${server.url}/auth/verify-email#token=`);
    expect(sent.text).not.toContain(PASSWORD);
  });

  it('nobody logs in before the link was followed, and everybody after', async () => {
    const { email, token } = await registered();
    const early = await post('/auth/login', { email, password: PASSWORD });
    expect(expectRefused(early, 403).error).toBe('email_unverified');
    expect((await post('/auth/verify-email', { token })).status).toBe(204);
    expect((await logIn(server, { email })).user.emailVerified).toBe(true);
  });

  it('who does not know the password does not learn that the address is not verified', async () => {
    const { email } = await registered();
    const wrong = await post('/auth/login', { email, password: 'not the password' });
    expect(expectRefused(wrong, 401).error).toBe('invalid_credentials');
  });

  it('a known address is answered as a new one is, and its owner is told by mail', async () => {
    const { email } = await registered();
    const fresh = await post('/auth/register', { email: newEmail(), password: PASSWORD });
    const known = await post('/auth/register', { email, password: 'another password' });
    expect(known.status).toBe(fresh.status);
    expect(expectData(known, 202)).toEqual(expectData(fresh, 202));
    const names = (answer: typeof known) => [...answer.headers.keys()].filter((name) => !/ratelimit/.test(name));
    expect(names(known)).toEqual(names(fresh));
    const told = await mail.next(email);
    expect(told.subject).toBe('You have an account already');
    expect(told.text).not.toContain('#token=');
    expectRefused(await post('/auth/login', { email, password: 'another password' }), 401);
  });

  it('of those who bring one address at once, none learns which came first', async () => {
    const json = { email: newEmail(), password: PASSWORD };
    const answers = await Promise.all(Array.from({ length: 6 }, () => post('/auth/register', json)));
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(202));
    await mail.next(json.email);
  });

  it('a name cannot put words into our mail', async () => {
    const email = newEmail();
    const name = 'you won: http://evil.example/ click';
    await post('/auth/register', { email, password: PASSWORD, name });
    const sent = await mail.next(email);
    expect(sent.text).not.toContain('evil.example');
    expect(sent.html ?? '').not.toContain('evil.example');
  });

  it('a new link is sent on demand, to nobody else', async () => {
    const { email } = await registered();
    const asked = await post('/auth/send-verification', { email });
    const stranger = await post('/auth/send-verification', { email: newEmail() });
    expect([asked.status, stranger.status]).toEqual([202, 202]);
    expect(expectData(asked, 202)).toEqual(expectData(stranger, 202));
    const { token } = linkOf((await mail.next(email)).text);
    expect((await post('/auth/verify-email', { token })).status).toBe(204);
  });
});

describe('a forgotten password', () => {
  it('is set anew by the link of a mail, which serves once and ends all sessions', async () => {
    const { email, token: verification } = await registered();
    await post('/auth/verify-email', { token: verification });
    const before = await logIn(server, { email });
    expect((await post('/auth/forgot-password', { email })).status).toBe(202);
    const sent = await mail.next(email);
    expect(sent.subject).toBe('Set a new password');
    const { url, token } = linkOf(sent.text);
    expect(url.pathname).toBe('/auth/reset-password');
    const body = { token, newPassword: 'a new password' };
    expect((await post('/auth/reset-password', body)).status).toBe(204);
    expectRefused(await before.call('GET', '/auth/me'), 401);
    expectRefused(await post('/auth/refresh', { refreshToken: before.refreshToken }), 401);
    expectRefused(await post('/auth/login', { email, password: PASSWORD }), 401);
    await logIn(server, { email, password: 'a new password' });
    expect(expectRefused(await post('/auth/reset-password', body), 400).error).toBe('link_invalid');
  });

  it('is answered the same for an address that nobody has, and sends nothing there', async () => {
    const { email } = await registered();
    const nobody = newEmail();
    const unknown = await post('/auth/forgot-password', { email: nobody });
    const known = await post('/auth/forgot-password', { email });
    expect(expectData(unknown, 202)).toEqual(expectData(known, 202));
    await mail.next(email);
    expect(mail.mails.some(({ to }) => to?.some(({ address }) => address === nobody))).toBe(false);
  });

  it('is not set by a token that nobody was sent', async () => {
    for (const token of ['x', '../..', 'a'.repeat(24), 'x'.repeat(5000)]) {
      expectRefused(await post('/auth/reset-password', { token, newPassword: 'a new password' }), 400);
    }
  });
});

describe('another e-mail address', () => {
  async function verified() {
    const { email, token } = await registered();
    await post('/auth/verify-email', { token });
    return await logIn(server, { email });
  }
  const ask = (person: Awaited<ReturnType<typeof verified>>, newEmail: string, password = PASSWORD) =>
    person.call('POST', '/auth/change-email', { json: { newEmail, password } });

  it('is that of the account once the link that went there was followed, and the former one is told', async () => {
    const person = await verified();
    const fresh = newEmail();
    await post('/auth/forgot-password', { email: person.email });
    const reset = linkOf((await mail.next(person.email)).text).token;
    expectData(await ask(person, fresh), 202);
    const sent = await mail.next(fresh);
    expect(sent.subject).toBe('Confirm your new e-mail address');
    const { url, token } = linkOf(sent.text);
    expect(url.pathname).toBe('/auth/change-email');
    expect(expectData(await person.call('GET', '/auth/me'))).toMatchObject({ email: person.email });
    expect((await post('/auth/confirm-email', { token })).status).toBe(204);
    expect(expectData(await person.call('GET', '/auth/me'))).toMatchObject({ email: fresh, emailVerified: true });
    const told = await mail.next(person.email);
    expect(told.subject).toBe('Your e-mail address was changed');
    expect(told.text).not.toContain('#token=');
    expectRefused(await post('/auth/login', { email: person.email, password: PASSWORD }), 401);
    await logIn(server, { email: fresh });
    // Whoever reads the former mailbox has no way in any more, and the link serves once.
    const late = await post('/auth/reset-password', { token: reset, newPassword: 'of the former mailbox' });
    expect(expectRefused(late, 400).error).toBe('link_invalid');
    expect(expectRefused(await post('/auth/confirm-email', { token }), 400).error).toBe('link_invalid');
  });

  it('takes the password', async () => {
    const person = await verified();
    for (const json of [{ newEmail: newEmail() }, { newEmail: newEmail(), password: 'a guess' }])
      expect(expectRefused(await person.call('POST', '/auth/change-email', { json }), 401).error).toBe(
        'invalid_credentials',
      );
  });

  it('that somebody has is answered as a free one, and its owner is told by mail', async () => {
    const [person, other] = [await verified(), await verified()];
    const [known, free] = [await ask(person, other.email), await ask(person, newEmail())];
    expect(expectData(known, 202)).toEqual(expectData(free, 202));
    const told = await mail.next(other.email);
    expect(told.text).not.toContain('#token=');
  });

  it('that somebody else registers with meanwhile stays hers', async () => {
    const person = await verified();
    const wanted = newEmail();
    await ask(person, wanted);
    const { token } = linkOf((await mail.next(wanted)).text);
    expectData(await post('/auth/register', { email: wanted, password: PASSWORD }), 202);
    expect(expectRefused(await post('/auth/confirm-email', { token }), 409).error).toBe('email_taken');
    expect(expectData(await person.call('GET', '/auth/me'))).toMatchObject({ email: person.email });
  });

  it('of two that were asked for, the first that is confirmed counts', async () => {
    const person = await verified();
    const [one, two] = [newEmail(), newEmail()];
    await ask(person, one);
    await ask(person, two);
    const [first, second] = [linkOf((await mail.next(one)).text).token, linkOf((await mail.next(two)).text).token];
    const answers = await Promise.all([first, second].map((token) => post('/auth/confirm-email', { token })));
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 400]);
  });
});

describe('the pages that links open', () => {
  it.each(['verify-email', 'reset-password', 'change-email', 'error'])(
    '/auth/%s is there and loads nothing from elsewhere',
    async (name) => {
      const answer = await server.request(`/auth/${name}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(/^text\/html/);
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
      expect(await answer.text()).not.toMatch(/(src|href)="https?:/);
    },
  );
});

describe('secrets', () => {
  it('neither tokens of links nor the password of the mail server are in the log', async () => {
    const { email, token } = await registered();
    await post('/auth/forgot-password', { email });
    const reset = linkOf((await mail.next(email)).text).token;
    for (const secret of [token, reset, SMTP_PASSWORD, encodeURIComponent(SMTP_PASSWORD), PASSWORD]) {
      expect(server.logs).not.toContain(secret);
    }
  });

  it('a mail server that refuses is told in the log, and registration is answered all the same', async () => {
    mail.refuse();
    const email = newEmail();
    expectData(await post('/auth/register', { email, password: PASSWORD }), 202);
    await until(() => server.logs.includes('a mail could not be sent'), { what: 'the line in the log' });
    expect(server.logs).not.toContain(SMTP_PASSWORD);
  });
});

it('a mail server that accepts and never answers holds up neither people nor the stop', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const own = await startServer({
    env: { CARCOSA_SMTP_URL: `smtp://127.0.0.1:${port}`, CARCOSA_MAIL_FROM: 'carcosa@example.com' },
  });
  try {
    const json = { email: newEmail(), password: PASSWORD };
    expectData(await own.api('POST', '/auth/register', { key: null, json }), 202);
    expect(await own.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  } finally {
    await own.stop();
    silent.close();
  }
});
