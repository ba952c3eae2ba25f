import { createHmac, generateKeyPairSync, hkdfSync } from 'node:crypto';
import { base64url, type JWTHeaderParameters, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../../support/api.ts';
import { unixNow } from '../../support/clock.ts';
import { type LoggedInData, newEmail, PASSWORD, type Person, register } from '../../support/people.ts';
import { type Server, startServer } from '../../support/server.ts';

const SECRET = 'root-secret-of-this-very-test-0123456789';

let server: Server;
let person: Person;
beforeAll(async () => {
  server = await startServer({ env: { CARCOSA_SECRET: SECRET } });
  person = await register(server);
});
afterAll(() => server.stop());

/** The very key of the server, for tokens that are wrong in one thing only. */
const key = new Uint8Array(hkdfSync('sha256', Buffer.from(SECRET), '', 'carcosa/access-tokens', 32));
const HEADER = { alg: 'HS256', typ: 'at+jwt' };

function claims(change: Record<string, unknown> = {}): Record<string, unknown> {
  const now = unixNow();
  const right = { iss: 'carcosa', aud: 'carcosa:api', sub: person.user.id, sid: person.sessionId };
  return { ...right, iat: now, exp: now + 3600, ...change };
}

const sign = (change: Record<string, unknown> = {}, header: JWTHeaderParameters = HEADER, by: Uint8Array = key) =>
  new SignJWT(claims(change)).setProtectedHeader(header).sign(by);

const raw = (header: unknown, payload: unknown, signature = ''): string =>
  `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(payload))}.${signature}`;

const me = (token: string) => server.api('GET', '/auth/me', { key: token });

describe('forged access tokens (19)', () => {
  it('the forgery that is wrong in nothing is let in: the others fail for what they change', async () => {
    expect((await me(await sign())).status).toBe(200);
  });

  it.each<[string, () => string | Promise<string>]>([
    ['no algorithm', () => raw({ alg: 'none', typ: 'at+jwt' }, claims())],
    ['no algorithm in other letters', () => raw({ alg: 'NoNe', typ: 'at+jwt' }, claims(), 'x')],
    ['no signature', () => raw(HEADER, claims())],
    ['a signature of nothing', () => raw(HEADER, claims(), base64url.encode(createHmac('sha256', '').digest()))],
    ['another key', () => sign({}, HEADER, new Uint8Array(32))],
    ['the root secret itself', () => sign({}, HEADER, Buffer.from(SECRET))],
    ['HS384', () => sign({}, { alg: 'HS384', typ: 'at+jwt' }, Buffer.concat([key, key]))],
    ['HS512', () => sign({}, { alg: 'HS512', typ: 'at+jwt' }, Buffer.concat([key, key]))],
    ['RS256', rs256],
    ['another type', () => sign({}, { alg: 'HS256', typ: 'JWT' })],
    ['no type', () => sign({}, { alg: 'HS256' })],
    ['the type of a tenant token', () => sign({}, { alg: 'HS256', typ: 'tenant+jwt' })],
    ['a key id that is a path', () => sign({}, { ...HEADER, kid: '../../../dev/null' })],
    ['a key id that is SQL', () => sign({}, { ...HEADER, kid: "x' union select 'secret" })],
    ['the address of keys', () => sign({}, { ...HEADER, jku: 'http://127.0.0.1:1/keys' })],
    ['a key of its own', () => sign({}, { ...HEADER, jwk: { kty: 'RSA', n: 'xx', e: 'AQAB' } })],
    ['the address of a certificate', () => sign({}, { ...HEADER, x5u: 'http://127.0.0.1:1/cert' })],
    ['another audience', () => sign({ aud: 'carcosa:tenants' })],
    ['several audiences', () => sign({ aud: ['carcosa:api', 'other'] })],
    ['no audience', () => sign({ aud: undefined })],
    ['another issuer', () => sign({ iss: 'https://evil.example' })],
    ['no issuer', () => sign({ iss: undefined })],
    ['an end in the past', () => sign({ exp: unixNow() - 1 })],
    ['no end', () => sign({ exp: undefined })],
    ['an end that is text', () => sign({ exp: '9999999999' })],
    ['a beginning in the future', () => sign({ nbf: unixNow() + 3600 })],
    ['nobody', () => sign({ sub: undefined })],
    ['somebody else', () => sign({ sub: 'usr_00000000000000000000000000' })],
    ['no session', () => sign({ sid: undefined })],
    ['a session that is none', () => sign({ sid: 'ses_00000000000000000000000000' })],
    ['a session that is SQL', () => sign({ sid: "ses_' or '1'='1" })],
    ['the refresh token', () => person.refreshToken],
    ['a token and more', async () => `${await sign()}.x`],
    ['a token of megabytes', () => sign({ padding: 'x'.repeat(10_000) })],
    ['three dots', () => '...'],
  ])('%s', async (_, forge) => {
    const answer = await me(await forge());
    expect(expectRefused(answer, 401).error).toBe('unauthenticated');
  });

  it('a token whose last letter says the same in other bits is not let in twice as another', async () => {
    const [head, payload, signature = ''] = person.accessToken.split('.');
    const flipped = `${head}.${payload}.${signature.slice(0, -2)}${signature.endsWith('A') ? 'BB' : 'AA'}`;
    expectRefused(await me(flipped), 401);
  });

  it('a token of one user with the session of another is not let in', async () => {
    const other = await register(server);
    expectRefused(await me(await sign({ sub: other.user.id })), 401);
    expectRefused(await me(await sign({ sid: other.sessionId })), 401);
  });
});

async function rs256(): Promise<string> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return await new SignJWT(claims()).setProtectedHeader({ alg: 'RS256', typ: 'at+jwt' }).sign(privateKey);
}

const JSON_TYPE = { 'content-type': 'application/json' };
const cookies = ({ accessToken, refreshToken }: { accessToken: string; refreshToken: string }) =>
  `carcosa_access=${accessToken}; carcosa_refresh=${refreshToken}`;
const rename = (headers: Record<string, string>) =>
  server.api('PATCH', '/auth/me', {
    key: null,
    headers: { ...JSON_TYPE, ...headers },
    body: JSON.stringify({ name: 'changed' }),
  });

describe('requests that other sites make with cookies (26)', () => {
  it('a page of ours reads and changes', async () => {
    const cookie = cookies(person);
    expect((await server.api('GET', '/auth/me', { key: null, headers: { cookie } })).status).toBe(200);
    expect((await rename({ cookie, origin: server.url })).status).toBe(200);
    expect((await rename({ cookie, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  it.each([
    ['another site', { origin: 'https://evil.example' }],
    ['a sandboxed page', { origin: 'null' }],
    ['another port of this host', { origin: 'http://127.0.0.1:1' }],
    ['this address under another scheme', { origin: 'https://127.0.0.1:1' }],
    ['what looks like our address', { origin: 'http://127.0.0.1.evil.example' }],
    ['an origin that is no address', { origin: '' }],
    ['a page of a neighbour', { 'sec-fetch-site': 'same-site' }],
    ['a page of a stranger', { 'sec-fetch-site': 'cross-site' }],
    ['a person who typed it', { 'sec-fetch-site': 'none' }],
    [
      'another site that lies in the second header',
      { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
    ],
    ['nobody knows where', {}],
  ])('%s changes nothing', async (_, headers) => {
    const cookie = cookies(person);
    const answer = await rename({ cookie, ...(headers as Record<string, string>) });
    expect(expectRefused(answer, 403).error).toBe('cross_site_request');
  });

  it('a key or token in a header is no cookie: whoever holds it may', async () => {
    const headers = { ...JSON_TYPE, origin: 'https://app.example.com', authorization: `Bearer ${person.accessToken}` };
    expect((await rename(headers)).status).toBe(200);
  });

  it('a header that does not know anybody is not helped out by a cookie', async () => {
    const headers = { cookie: cookies(person), authorization: 'Basic eDp5', origin: server.url };
    expectRefused(await rename(headers), 401);
    expectRefused(await rename({ ...headers, authorization: 'Bearer x' }), 401);
  });

  it('other sites can neither refresh nor end a session', async () => {
    const own = await register(server);
    const headers = { cookie: cookies(own), origin: 'https://evil.example' };
    expectRefused(await server.api('POST', '/auth/refresh', { key: null, headers }), 403);
    expectRefused(await server.api('POST', '/auth/logout', { key: null, headers }), 403);
    const onlyRefresh = { cookie: `carcosa_refresh=${own.refreshToken}`, origin: 'https://evil.example' };
    expectRefused(await server.api('POST', '/auth/logout', { key: null, headers: onlyRefresh }), 403);
    expect((await own.call('GET', '/auth/me')).status).toBe(200);
  });

  it('other sites cannot log a browser in as somebody else', async () => {
    const json = { email: person.email, password: PASSWORD };
    const headers = { origin: 'https://evil.example' };
    const answer = await server.api<LoggedInData>('POST', '/auth/login', { key: null, json, headers });
    expect(expectData(answer).accessToken).toMatch(/^ey/);
    expect(answer.headers.getSetCookie()).toEqual([]);
    const asForm = { 'content-type': 'text/plain', origin: 'https://evil.example' };
    expectRefused(
      await server.api('POST', '/auth/login', { key: null, headers: asForm, body: JSON.stringify(json) }),
      415,
    );
  });

  it.each(['https://evil.example', 'null', 'http://127.0.0.1:1'])('no answer lets %s use cookies', async (origin) => {
    const headers = { cookie: cookies(person), origin };
    const answer = await server.api('GET', '/auth/me', { key: null, headers });
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    const asked = { origin, 'access-control-request-method': 'PATCH' };
    const preflight = await server.request('/api/v1/auth/me', { method: 'OPTIONS', headers: asked });
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull();
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
  });
});

describe('cookies', () => {
  it('are for the browser alone: no script reads them, no other site sends them along', async () => {
    const answer = await server.api('POST', '/auth/login', {
      key: null,
      json: { email: person.email, password: PASSWORD },
    });
    const set = answer.headers.getSetCookie();
    expect(set).toHaveLength(2);
    for (const cookie of set) {
      expect(cookie).toMatch(/; Path=\/(;|$)/);
      expect(cookie).toMatch(/; HttpOnly(;|$)/);
      expect(cookie).toMatch(/; SameSite=Lax(;|$)/);
      expect(cookie).not.toMatch(/Domain=/i);
    }
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('under https are bound to the host and never sent in clear', async () => {
    const secure = await startServer({ env: { CARCOSA_PUBLIC_URL: 'https://files.example.com' } });
    try {
      const address = `${secure.directUrl}/api/v1/auth`;
      const body = JSON.stringify({ email: newEmail(), password: PASSWORD });
      const made = await fetch(`${address}/register`, { method: 'POST', headers: JSON_TYPE, body });
      const set = made.headers.getSetCookie();
      expect(set).toHaveLength(2);
      for (const cookie of set) expect(cookie).toMatch(/^__Host-carcosa_\w+=.*; Secure$/);
      const { data } = (await made.json()) as { data: LoggedInData };
      const plain = await fetch(`${address}/me`, { headers: { cookie: cookies(data) } });
      expect(plain.status, 'a cookie that another host could have set').toBe(401);
      const cookie = `__Host-carcosa_access=${data.accessToken}`;
      expect((await fetch(`${address}/me`, { headers: { cookie } })).status).toBe(200);
      const change = { method: 'PATCH', body: JSON.stringify({ name: 'x' }) };
      const ours = { ...JSON_TYPE, cookie, origin: 'https://files.example.com' };
      expect((await fetch(`${address}/me`, { ...change, headers: ours })).status).toBe(200);
    } finally {
      await secure.stop();
    }
  });

  it('end with the session', async () => {
    const own = await register(server);
    const headers = { cookie: cookies(own), origin: server.url };
    const answer = await server.api('POST', '/auth/logout', { key: null, headers });
    expect(answer.status).toBe(204);
    expect(answer.headers.getSetCookie().every((cookie) => /=; .*Max-Age=0/.test(cookie))).toBe(true);
    expectRefused(await own.call('GET', '/auth/me'), 401);
  });

  it('refresh by themselves', async () => {
    const own = await register(server);
    const headers = { cookie: `carcosa_refresh=${own.refreshToken}`, origin: server.url };
    const next = expectData(await server.api<LoggedInData>('POST', '/auth/refresh', { key: null, headers }));
    expect(next.sessionId).toBe(own.sessionId);
  });
});

describe('the log', () => {
  it('has no token, cookie, password or e-mail address of anybody', async () => {
    const own = await register(server);
    await rename({ cookie: cookies(own), origin: server.url });
    await server.api('POST', '/auth/login', { key: null, json: { email: own.email, password: 'wrong, but close' } });
    await server.api('POST', '/auth/register', { key: null, json: { email: own.email, password: PASSWORD } });
    await server.api('GET', `/auth/me?token=${own.accessToken}`, { key: null });
    const secrets = [own.accessToken, own.refreshToken, PASSWORD, 'wrong, but close', own.email];
    for (const secret of secrets) expect(server.logs).not.toContain(secret);
  });
});
