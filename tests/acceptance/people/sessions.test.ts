import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../../support/api.ts';
import { type LoggedInData, logIn, newEmail, PASSWORD, type Person, register } from '../../support/people.ts';
import { type Server, startServer } from '../../support/server.ts';

let server: Server;
let owner: Person;
beforeAll(async () => {
  server = await startServer();
  owner = await register(server);
});
afterAll(() => server.stop());

const post = <Data = LoggedInData>(path: string, json?: unknown, headers: Record<string, string> = {}) =>
  server.api<Data>('POST', path, { key: null, headers, ...(json === undefined ? {} : { json }) });

describe('the first account', () => {
  it('runs the server and owns the default organization; later ones have nothing', async () => {
    const me = expectData(await owner.call('GET', '/auth/me'));
    expect(me).toMatchObject({
      id: owner.user.id,
      isServerAdmin: true,
      organizations: [{ slug: 'default', role: 'owner' }],
    });
    const second = await register(server);
    expect(second.user.isServerAdmin).toBe(false);
    expect(expectData(await second.call('GET', '/auth/me'))).toMatchObject({ isServerAdmin: false, organizations: [] });
  });
});

describe('POST /auth/register', () => {
  it('answers the account and a pair of tokens', async () => {
    const email = newEmail();
    const made = expectData(await post('/auth/register', { email, password: PASSWORD }), 201);
    expect(made.user).toMatchObject({ id: expect.stringMatching(/^usr_/), email, name: email.split('@')[0] });
    expect(made).toMatchObject({
      sessionId: expect.stringMatching(/^ses_/),
      accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refreshToken: expect.stringMatching(/^rt_/),
      tokenType: 'Bearer',
      expiresIn: 3600,
      refreshExpiresIn: 7 * 24 * 3600,
    });
    expect(JSON.stringify(made)).not.toContain(PASSWORD);
  });

  it('knows an address in any case', async () => {
    const email = newEmail();
    await register(server, email);
    const again = await post('/auth/register', { email: email.toUpperCase(), password: PASSWORD });
    expect(expectRefused(again, 409).error).toBe('email_taken');
    expect((await logIn(server, { email: email.toUpperCase() })).user.email).toBe(email);
  });

  it('of those who bring one address at once, one gets it', async () => {
    const json = { email: newEmail(), password: PASSWORD };
    const answers = await Promise.all(Array.from({ length: 6 }, () => post('/auth/register', json)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409]);
    expect(server.logs).not.toContain(json.email);
  });

  it.each([
    ['no e-mail address', { email: 'nobody', password: PASSWORD }],
    ['a short password', { email: newEmail(), password: 'short' }],
    ['an endless password', { email: newEmail(), password: 'x'.repeat(129) }],
    ['a role', { email: newEmail(), password: PASSWORD, role: 'owner' }],
    ['the rank of an administrator', { email: newEmail(), password: PASSWORD, isServerAdmin: true }],
    ['a verified address', { email: newEmail(), password: PASSWORD, emailVerified: true }],
    ['an id', { email: newEmail(), password: PASSWORD, id: 'usr_1' }],
    ['a NUL in the name', { email: newEmail(), password: PASSWORD, name: 'a\0b' }],
  ])('refuses %s (22)', async (_, body) => {
    expect(expectRefused(await post('/auth/register', body), 400).error).toBe('invalid_request');
  });
});

describe('POST /auth/login', () => {
  it('tells an unknown address and a wrong password the same', async () => {
    const { email } = await register(server);
    const wrong = expectRefused(await post('/auth/login', { email, password: 'wrong' }), 401);
    const unknown = expectRefused(await post('/auth/login', { email: newEmail(), password: 'wrong' }), 401);
    expect(unknown).toEqual({ ...wrong, timestamp: unknown.timestamp, requestId: unknown.requestId });
    expect(wrong.error).toBe('invalid_credentials');
  });

  it('makes a new session each time, whatever the client brings along', async () => {
    const person = await register(server);
    const cookie = `carcosa_access=${person.accessToken}; carcosa_refresh=${person.refreshToken}`;
    const again = expectData(await post('/auth/login', { email: person.email, password: PASSWORD }, { cookie }));
    expect(again.sessionId).not.toBe(person.sessionId);
    expect(again.refreshToken).not.toBe(person.refreshToken);
  });
});

describe('POST /auth/refresh', () => {
  it('gives the next pair for the same session', async () => {
    const person = await register(server);
    const next = expectData(await post('/auth/refresh', { refreshToken: person.refreshToken }));
    expect(next.sessionId).toBe(person.sessionId);
    expect(next.refreshToken).not.toBe(person.refreshToken);
    expect((await server.api('GET', '/auth/me', { key: next.accessToken })).status).toBe(200);
  });

  it('ends the whole session when a token comes again after the next one was used', async () => {
    const person = await register(server);
    const second = expectData(await post('/auth/refresh', { refreshToken: person.refreshToken }));
    const third = expectData(await post('/auth/refresh', { refreshToken: second.refreshToken }));
    expectRefused(await post('/auth/refresh', { refreshToken: person.refreshToken }), 401);
    expectRefused(await post('/auth/refresh', { refreshToken: third.refreshToken }), 401);
    expectRefused(await server.api('GET', '/auth/me', { key: third.accessToken }), 401);
  });

  it('ends the session when somebody else brings the same token, at once as it may be', async () => {
    const person = await register(server);
    await post('/auth/refresh', { refreshToken: person.refreshToken });
    const thief = { 'user-agent': 'somebody else' };
    expectRefused(await post('/auth/refresh', { refreshToken: person.refreshToken }, thief), 401);
    expectRefused(await person.call('GET', '/auth/me'), 401);
  });

  it('gives the same token again to the same client whose answer was lost', async () => {
    const { refreshToken } = await register(server);
    const answers = await Promise.all([1, 2, 3].map(() => post('/auth/refresh', { refreshToken })));
    const tokens = answers.map((answer) => expectData(answer).refreshToken);
    expect(new Set(tokens).size).toBe(1);
  });

  it.each(['', 'rt_', `rt_${'a'.repeat(43)}`, 'x'.repeat(5000), "rt_' or 1=1"])('refuses %j', async (refreshToken) => {
    expectRefused(await post('/auth/refresh', { refreshToken }), 400, 401);
  });

  it('refuses a request without any token', async () => {
    expectRefused(await post('/auth/refresh'), 401);
  });
});

describe('POST /auth/logout', () => {
  it('ends the session: neither of its tokens serves any more', async () => {
    const person = await register(server);
    expect((await person.call('POST', '/auth/logout')).status).toBe(204);
    expectRefused(await person.call('GET', '/auth/me'), 401);
    expectRefused(await post('/auth/refresh', { refreshToken: person.refreshToken }), 401);
    expectRefused(await person.call('POST', '/auth/logout'), 401);
  });

  it('by the refresh token alone, when the access token has expired', async () => {
    const person = await register(server);
    expect((await post('/auth/logout', { refreshToken: person.refreshToken })).status).toBe(204);
    expectRefused(await person.call('GET', '/auth/me'), 401);
  });

  it('leaves other sessions of the same person alone', async () => {
    const person = await register(server);
    const other = await logIn(server, person);
    await person.call('POST', '/auth/logout');
    expect((await other.call('GET', '/auth/me')).status).toBe(200);
  });
});

describe('who may ask', () => {
  it('a key is nobody, and cannot log out', async () => {
    expect(expectRefused(await server.api('GET', '/auth/me'), 403).error).toBe('forbidden');
    expectRefused(await server.api('POST', '/auth/logout'), 403);
  });

  it('a person reads files of the projects that her team has, and no others', async () => {
    const query = { projectId: server.projectId };
    expect((await owner.call('GET', '/files', { query })).status).toBe(200);
    const stranger = await register(server);
    expectRefused(await stranger.call('GET', '/files', { query }), 404);
    expectRefused(await server.api('GET', '/files', { key: null, query }), 401);
  });
});
