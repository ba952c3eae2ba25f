import type { CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/clock.ts';
import { newEmail, PASSWORD } from '../support/people.ts';
import { type Server, startServer } from '../support/server.ts';
import { type Browser, findChromium, startBrowser } from './chromium.ts';

interface Answer {
  status: number;
  body: { data?: Record<string, unknown>; error?: string } | null;
}

interface Ceremony {
  options: { userVerification?: string };
  challengeToken: string;
}

function ceremonyOf({ status, body }: Answer): Ceremony {
  expect(status).toBe(200);
  return (body as { data: unknown }).data as Ceremony;
}

/** A browser's page with an authenticator of its own, such as a telephone that knows its owner's finger. */
interface Device {
  page: Page;
  cdp: CDPSession;
  authenticatorId: string;
}

describe.skipIf(!findChromium())('passkeys in a real browser (Debian: apt-get install chromium)', () => {
  let server: Server;
  let browser: Browser;
  /** Browsers have no passkeys for bare addresses. */
  let site: string;

  beforeAll(async () => {
    server = await startServer();
    site = server.url.replace('127.0.0.1', 'localhost');
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function newDevice(isUserVerified = true): Promise<Device> {
    const page = await browser.newPage();
    await page.context().clearCookies();
    await page.goto(`${site}/auth/error`);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified,
        automaticPresenceSimulation: true,
      },
    });
    return { page, cdp, authenticatorId };
  }

  /** Asks the API from within the page, with its cookies. */
  async function ask({ page }: Device, method: string, path: string, json?: unknown): Promise<Answer> {
    const request = JSON.stringify({ method, address: `/api/v1/auth${path}`, json });
    return (await page.evaluate(`(async ({ method, address, json }) => {
      const init = json === undefined ? { method } : { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(json) };
      const answer = await fetch(address, init);
      const text = await answer.text();
      return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
    })(${request})`)) as Answer;
  }

  /** What the authenticator makes of options. */
  async function answerOf({ page }: Device, ceremony: 'create' | 'get', options: unknown): Promise<unknown> {
    const parse = ceremony === 'create' ? 'parseCreationOptionsFromJSON' : 'parseRequestOptionsFromJSON';
    return await page.evaluate(`(async () => {
      const publicKey = PublicKeyCredential.${parse}(${JSON.stringify(options)});
      return (await navigator.credentials.${ceremony}({ publicKey })).toJSON();
    })()`);
  }

  async function registerPerson(device: Device): Promise<string> {
    const email = newEmail();
    const made = await ask(device, 'POST', '/register', { email, password: PASSWORD });
    expect(made.status).toBe(201);
    return email;
  }

  async function addPasskey(device: Device, name = 'telephone'): Promise<Answer> {
    const begun = await ask(device, 'POST', '/passkeys/register/options');
    const { options, challengeToken } = ceremonyOf(begun);
    const response = await answerOf(device, 'create', options);
    return await ask(device, 'POST', '/passkeys/register/verify', { challengeToken, response, name });
  }

  async function beginLogin(device: Device): Promise<{ challengeToken: string; response: unknown }> {
    const begun = await ask(device, 'POST', '/passkeys/login/options');
    const { options, challengeToken } = ceremonyOf(begun);
    return { challengeToken, response: await answerOf(device, 'get', options) };
  }

  const logOut = async (device: Device): Promise<void> => {
    expect((await ask(device, 'POST', '/logout')).status).toBe(204);
    expect((await ask(device, 'GET', '/me')).status).toBe(401);
  };

  it('log somebody in without a password', async () => {
    const device = await newDevice();
    const email = await registerPerson(device);
    expect(await addPasskey(device)).toMatchObject({ status: 201, body: { data: { name: 'telephone' } } });
    await logOut(device);
    const done = await ask(device, 'POST', '/passkeys/login/verify', await beginLogin(device));
    expect(done).toMatchObject({ status: 200, body: { data: { user: { email } } } });
    expect((await ask(device, 'GET', '/me')).body?.data).toMatchObject({ email });
  });

  it('are listed, renamed and removed by their owner alone', async () => {
    const device = await newDevice();
    await registerPerson(device);
    const id = String((await addPasskey(device)).body?.data?.id);
    expect((await ask(device, 'PATCH', `/passkeys/${id}`, { name: 'old telephone' })).body?.data).toMatchObject({ id });
    const stranger = await newDevice();
    await registerPerson(stranger);
    expect((await ask(stranger, 'PATCH', `/passkeys/${id}`, { name: 'mine' })).status).toBe(404);
    expect((await ask(stranger, 'DELETE', `/passkeys/${id}`)).status).toBe(404);
    expect((await ask(stranger, 'GET', '/passkeys')).body?.data).toMatchObject({ items: [] });
  });

  it('that were removed open nothing any more', async () => {
    const device = await newDevice();
    await registerPerson(device);
    const id = String((await addPasskey(device)).body?.data?.id);
    expect((await ask(device, 'GET', '/passkeys')).body?.data).toMatchObject({ items: [{ id }] });
    expect((await ask(device, 'DELETE', `/passkeys/${id}`)).status).toBe(204);
    await logOut(device);
    const done = await ask(device, 'POST', '/passkeys/login/verify', await beginLogin(device));
    expect(done).toMatchObject({ status: 401, body: { error: 'passkey_refused' } });
  });

  it('an answer serves once, and only for the options that it was made for', async () => {
    const device = await newDevice();
    await registerPerson(device);
    await addPasskey(device);
    const answer = await beginLogin(device);
    const { challengeToken } = await beginLogin(device);
    expect((await ask(device, 'POST', '/passkeys/login/verify', { ...answer, challengeToken })).status).toBe(401);
    expect((await ask(device, 'POST', '/passkeys/login/verify', answer)).status).toBe(200);
    expect((await ask(device, 'POST', '/passkeys/login/verify', answer)).status).toBe(401);
  });

  it('an answer that was tampered with is refused', async () => {
    const device = await newDevice();
    await registerPerson(device);
    await addPasskey(device);
    const { challengeToken, response } = await beginLogin(device);
    const { response: inner, ...outer } = response as { response: { signature: string } };
    const signature = `${inner.signature.slice(0, -4)}AAAA`;
    const forged = { challengeToken, response: { ...outer, response: { ...inner, signature } } };
    expect((await ask(device, 'POST', '/passkeys/login/verify', forged)).status).toBe(401);
  });

  it('one that did not see its person is no way in: it stands for both factors', async () => {
    const device = await newDevice();
    await registerPerson(device);
    await addPasskey(device);
    await logOut(device);
    await device.cdp.send('WebAuthn.setUserVerified', {
      authenticatorId: device.authenticatorId,
      isUserVerified: false,
    });
    const begun = await ask(device, 'POST', '/passkeys/login/options');
    const { options, challengeToken } = ceremonyOf(begun);
    expect(options.userVerification).toBe('required');
    const response = await answerOf(device, 'get', { ...options, userVerification: 'discouraged' });
    const done = await ask(device, 'POST', '/passkeys/login/verify', { challengeToken, response });
    expect(done).toMatchObject({ status: 401, body: { error: 'passkey_refused' } });
  });

  it('somebody who is not logged in cannot add one', async () => {
    const device = await newDevice();
    expect((await ask(device, 'POST', '/passkeys/register/options')).status).toBe(401);
  });
});

describe.skipIf(!findChromium())('the page of a link (Debian: apt-get install chromium)', () => {
  let server: Server;
  let browser: Browser;
  beforeAll(async () => {
    server = await startServer();
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('sets a new password', async () => {
    const email = newEmail();
    const post = (path: string, json: unknown) => server.api('POST', path, { key: null, json });
    await post('/auth/register', { email, password: PASSWORD });
    await post('/auth/forgot-password', { email });
    const link = await until(() => /http\S+\/auth\/reset-password#token=[^"\s\\]+/.exec(server.logs)?.[0]);
    const page = await browser.newPage();
    await page.goto(link);
    expect(page.url(), 'the token is not left in the address').not.toContain('token');
    await page.fill('input[name=newPassword]', 'from the page itself');
    await page.click('button');
    await page.getByText('new password is set').waitFor();
    expect((await post('/auth/login', { email, password: 'from the page itself' })).status).toBe(200);
    await page.goto('about:blank');
    await page.goto(link);
    await page.fill('input[name=newPassword]', 'a second time now');
    await page.click('button');
    await page.getByText('was used').waitFor();
  });
});
