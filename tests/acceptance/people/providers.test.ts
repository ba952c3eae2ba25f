import { randomUUID } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../../support/api.ts';
import { CookieBrowser, type OidcServer, startOidcServer } from '../../support/oidc.ts';
import { newEmail, PASSWORD, register, type UserData } from '../../support/people.ts';
import { type Server, startServer } from '../../support/server.ts';

let provider: OidcServer;
let server: Server;
let isBack: (url: string) => boolean;
beforeAll(async () => {
  provider = await startOidcServer();
  server = await startServer({
    env: {
      CARCOSA_OIDC_ISSUER: provider.issuer,
      CARCOSA_OIDC_CLIENT_ID: provider.clientId,
      CARCOSA_OIDC_CLIENT_SECRET: provider.clientSecret,
      CARCOSA_OIDC_NAME: 'The Lake',
      CARCOSA_GITHUB_CLIENT_ID: 'github-client',
      CARCOSA_GITHUB_CLIENT_SECRET: 'github-secret-of-this-test',
    },
  });
  provider.allowRedirectTo(`${server.url}/api/v1/auth/callback/oidc`);
  isBack = (url) => url.startsWith(`${server.url}/api/v1/auth/callback/`);
  await register(server);
});
afterAll(async () => {
  await server.stop();
  await provider.close();
});

const startUrl = (query = '') => `${server.url}/api/v1/auth/providers/oidc/start${query}`;

function account(claims: Partial<{ email: string; email_verified: boolean; name: string }> = {}): string {
  const id = randomUUID();
  provider.accounts.set(id, { email: newEmail(), email_verified: true, name: 'Alaire', ...claims });
  return id;
}

/** Goes to the provider, logs in there, comes back. */
async function dance(id: string, browser = new CookieBrowser(), query = '') {
  const back = await browser.logInAt(startUrl(query), id, isBack);
  const answer = await browser.fetch(back);
  return { browser, back, answer, location: answer.headers.get('location') ?? '' };
}

async function meOf(browser: CookieBrowser): Promise<UserData | null> {
  const answer = await browser.fetch(`${server.url}/api/v1/auth/me`);
  return answer.status === 200 ? ((await answer.json()) as { data: UserData }).data : null;
}

describe('GET /auth/providers', () => {
  it('names what is configured, and nothing secret', async () => {
    const answer = await server.api('GET', '/auth/providers', { key: null });
    expect(expectData(answer)).toMatchObject({
      items: [
        { id: 'github', name: 'GitHub' },
        { id: 'oidc', name: 'The Lake', startUrl: startUrl() },
      ],
    });
    expect(JSON.stringify(answer.body)).not.toContain('client');
  });

  it('a provider that is not configured is not there', async () => {
    expectRefused(await server.api('GET', '/auth/providers/google/start', { key: null }), 404);
    expectRefused(await server.api('GET', '/auth/callback/google?code=x&state=y', { key: null }), 404);
  });

  it('GitHub is asked with PKCE, for who it is and nothing more', async () => {
    const answer = await server.request('/api/v1/auth/providers/github/start');
    const url = new URL(answer.headers.get('location') ?? '');
    expect(url.origin + url.pathname).toBe('https://github.com/login/oauth/authorize');
    expect(url.searchParams.get('client_id')).toBe('github-client');
    expect(url.searchParams.get('scope')?.split(' ').sort()).toEqual(['read:user', 'user:email']);
    expect(url.searchParams.get('code_challenge_method')).toBe('S256');
    expect(url.searchParams.get('redirect_uri')).toBe(`${server.url}/api/v1/auth/callback/github`);
    expect(url.href).not.toContain('github-secret');
  });
});

describe('logging in at an OpenID Connect provider', () => {
  it('makes an account at the first time, and knows it at the next', async () => {
    const email = newEmail();
    const id = account({ email, name: 'Alaire' });
    const first = await dance(id);
    expect(first.location).toBe(`${server.url}/`);
    const me = await meOf(first.browser);
    expect(me).toMatchObject({ email, name: 'Alaire', emailVerified: true, isServerAdmin: false });
    const second = await dance(id);
    expect(await meOf(second.browser)).toMatchObject({ id: me?.id });
  });

  it('sends the browser to where it wanted to go, and to no other server', async () => {
    const { location } = await dance(account(), undefined, '?returnTo=/files?folder=a');
    expect(location).toBe(`${server.url}/files?folder=a`);
    const elsewhere = ['https://evil.example', '//evil.example', '/\\evil.example', 'javascript:x', '\\/x'];
    for (const returnTo of elsewhere) {
      const answer = await server.api('GET', '/auth/providers/oidc/start', { key: null, query: { returnTo } });
      expectRefused(answer, 400);
    }
  });

  it('asks with state, nonce and PKCE', async () => {
    const answer = await server.request('/api/v1/auth/providers/oidc/start');
    const { searchParams } = new URL(answer.headers.get('location') ?? '');
    for (const name of ['state', 'nonce', 'code_challenge']) expect(searchParams.get(name)?.length).toBeGreaterThan(20);
    const [cookie = ''] = answer.headers.getSetCookie();
    expect(cookie).toMatch(/^carcosa_login=.*HttpOnly; SameSite=Lax/);
  });

  it('keeps no token of the provider', async () => {
    const { browser } = await dance(account());
    expect(await meOf(browser)).not.toBeNull();
    expect(server.logs).not.toContain(provider.clientSecret);
  });
});

describe('attacks', () => {
  it('a link that somebody else began logs nobody in', async () => {
    const attacker = new CookieBrowser();
    const back = await attacker.logInAt(startUrl(), account(), isBack);
    const victim = new CookieBrowser();
    const answer = await victim.fetch(back);
    expect(answer.headers.get('location')).toMatch(`${server.url}/auth/error#reason=`);
    expect(await meOf(victim)).toBeNull();
    const began = new CookieBrowser();
    await began.fetch(startUrl());
    await began.fetch(back);
    expect(await meOf(began), 'who has begun a log-in of her own neither').toBeNull();
  });

  it('an answer of the provider serves once', async () => {
    const browser = new CookieBrowser();
    const back = await browser.logInAt(startUrl(), account(), isBack);
    const state = browser.cookie(server.url, 'carcosa_login') ?? '';
    await browser.fetch(back);
    expect(await meOf(browser)).not.toBeNull();
    const again = new CookieBrowser();
    again.setCookie(server.url, 'carcosa_login', state);
    await again.fetch(back);
    expect(await meOf(again)).toBeNull();
  });

  it.each([
    '',
    '?code=x',
    '?state=x',
    '?code=x&state=y',
    '?error=access_denied',
    '?code=x&state=y&iss=https://evil.example',
  ])('what the provider never said (%s) logs nobody in', async (query) => {
    const browser = new CookieBrowser();
    await browser.fetch(startUrl());
    const answer = await browser.fetch(`${server.url}/api/v1/auth/callback/oidc${query}`);
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toMatch(`${server.url}/auth/error#reason=`);
    expect(await meOf(browser)).toBeNull();
  });

  it('an address that the provider did not verify takes nobody over', async () => {
    const { email } = await register(server);
    const { browser, location } = await dance(account({ email, email_verified: false }));
    expect(location).toMatch('/auth/error#reason=');
    expect(await meOf(browser)).toBeNull();
  });

  it('nor does a verified one take over an account whose address was never verified here: who registered it may be anybody', async () => {
    const { email } = await register(server);
    const { browser, location } = await dance(account({ email }));
    expect(location).toMatch('/auth/error#reason=');
    expect(await meOf(browser)).toBeNull();
    const login = await server.api('POST', '/auth/login', { key: null, json: { email, password: PASSWORD } });
    expect(login.status).toBe(200);
  });
});

it('a provider that is down costs nobody with a password anything, and is asked again when it is back', async () => {
  const late = await startOidcServer();
  const issuer = late.issuer;
  await late.close();
  let back: OidcServer | undefined;
  const own = await startServer({
    env: {
      CARCOSA_OIDC_ISSUER: issuer,
      CARCOSA_OIDC_CLIENT_ID: 'carcosa',
      CARCOSA_OIDC_CLIENT_SECRET: 'a-secret-of-the-oidc-client-of-this-test',
    },
  });
  try {
    await register(own);
    const down = await own.api('GET', '/auth/providers/oidc/start', { key: null });
    expect(expectRefused(down, 503).error).toBe('login_provider_unavailable');
    back = await startOidcServer(Number(new URL(issuer).port));
    const up = await own.request('/api/v1/auth/providers/oidc/start');
    expect(up.headers.get('location')).toMatch(issuer);
  } finally {
    await own.stop();
    await back?.close();
  }
});

it('a provider that accepts and never answers holds up nobody else', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const own = await startServer({
    env: {
      CARCOSA_OIDC_ISSUER: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
      CARCOSA_OIDC_CLIENT_ID: 'carcosa',
      CARCOSA_OIDC_CLIENT_SECRET: 'a-secret-of-the-oidc-client-of-this-test',
      CARCOSA_GITHUB_CLIENT_ID: 'github-client',
      CARCOSA_GITHUB_CLIENT_SECRET: 'github-secret-of-this-test',
    },
  });
  try {
    let isAnswered = false;
    const waiting = own.api('GET', '/auth/providers/oidc/start', { key: null }).finally(() => {
      isAnswered = true;
    });
    await register(own);
    expect((await own.request('/api/v1/auth/providers/github/start')).status).toBe(302);
    expect(isAnswered, 'the one who asked for the silent one still waits').toBe(false);
    expect(expectRefused(await waiting, 503).error).toBe('login_provider_unavailable');
  } finally {
    await own.stop();
    silent.close();
  }
});
