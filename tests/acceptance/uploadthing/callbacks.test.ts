import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../../support/api.ts';
import { type Server, startServer } from '../../support/server.ts';
import { ask, hmac, newKey, putFile, signUpload } from '../../support/uploadthing.ts';
import { type Behaviour, type Received, WebhookReceiver } from '../../support/webhook-receiver.ts';

interface Callback {
  id: string;
  fileKey: string;
  hook: string;
  state: string;
  attempts: number;
  lastStatus: number | null;
  lastError: string | null;
  resultError: string | null;
  answeredAt: string | null;
  url: string;
}

let server: Server;
let app: WebhookReceiver;
beforeAll(async () => {
  server = await startServer({ env: { CARCOSA_WEBHOOK_ALLOW_PRIVATE: '127.0.0.0/8' } });
  app = await WebhookReceiver.open();
});
afterAll(async () => {
  await app.close();
  await server.stop();
});
afterEach(() => {
  app.behaviour = (response) => response.writeHead(204).end();
  app.received.length = 0;
});

const register = (key: string, more: object = {}) =>
  ask(server, '/ingest/route-metadata', {
    ...{ fileKeys: [key], metadata: { userId: 'u1' }, isDev: false, callbackUrl: app.url, callbackSlug: 'images' },
    ...{ awaitServerData: false, ...more },
  });
const signed = (more: object = {}) => signUpload(server, { size: 5, name: 'a.txt', slug: 'images', ...more });
const told = (key: string): Received[] =>
  app.received.filter(({ body }) => (body as unknown as { file?: { key: string } }).file?.key === key);
const callbacksOf = async (fileKey: string): Promise<Callback[]> =>
  expectData(await server.api<{ items: Callback[] }>('GET', '/callbacks', { query: { fileKey } })).items;
/** What an app's SDK does: it runs onUploadComplete, and says what that returned. */
const answering =
  (result: object): Behaviour =>
  (response, received) => {
    const { file, origin } = received.body as unknown as { file: { key: string }; origin: string };
    void ask(server, new URL(origin).pathname.replace('/uploadthing', '').concat('/callback-result'), {
      fileKey: file.key,
      ...result,
    }).then(() => response.writeHead(200, { 'content-type': 'application/json' }).end('null'));
  };

describe('an app is told of a file that is whole', () => {
  it.each(['before', 'after'])('when it said what it wants %s the bytes came', async (order) => {
    const { key, url } = signed({ customId: `own-${newKey()}`, type: 'text/plain' });
    if (order === 'before') expect((await register(key)).body).toEqual({ ok: true });
    const { status, body: answer } = await putFile(url, 'hello');
    expect([status, answer.serverData]).toEqual([200, null]);
    if (order === 'after') await register(key);
    await expect.poll(() => told(key)).toHaveLength(1);
    const [{ headers, path, text, body }] = told(key) as [Received];
    expect(path).toBe('/hook?slug=images');
    expect(headers['uploadthing-hook']).toBe('callback');
    expect(headers['x-uploadthing-signature']).toBe(hmac(server.apiKey, text));
    expect(body).toEqual({
      status: 'uploaded',
      metadata: { userId: 'u1' },
      origin: `${server.url}/uploadthing/ingest`,
      file: {
        ...{ key, name: 'a.txt', size: 5, type: 'text/plain', customId: expect.stringMatching(/^own-/) },
        ...{ url: answer.url, appUrl: answer.appUrl, ufsUrl: answer.ufsUrl, fileHash: answer.fileHash },
      },
    });
    await expect.poll(async () => (await callbacksOf(key))[0]).toMatchObject({ state: 'delivered', attempts: 1 });
  });

  it('once, however often it says so', async () => {
    const { key, url } = signed();
    await register(key);
    await putFile(url, 'hello');
    for (let i = 0; i < 3; i++) await register(key);
    await expect.poll(async () => (await callbacksOf(key)).map(({ state }) => state)).toEqual(['delivered']);
    expect(told(key)).toHaveLength(1);
  });

  it('and its answer is the uploader’s', async () => {
    app.behaviour = answering({ callbackData: { uploadedBy: 'u1', list: [1, null] } });
    const { key, url } = signed();
    await register(key, { awaitServerData: true });
    const { status, body } = await putFile(url, 'hello');
    expect([status, body.serverData]).toEqual([200, { uploadedBy: 'u1', list: [1, null] }]);
    // Whose answer was lost asks again, and gets the same.
    expect((await putFile(url, '', { start: 5 })).body).toEqual(body);
  });

  it('and again for each content of a key', async () => {
    app.behaviour = answering({ callbackData: 'second' });
    const key = newKey();
    for (const content of ['first', 'other']) {
      await register(key, { awaitServerData: true });
      expect(
        (await putFile(signed({ key, expiresIn: content.length * 100 + content.charCodeAt(0) }).url, content)).status,
      ).toBe(200);
    }
    expect(await callbacksOf(key)).toHaveLength(2);
  });
});

describe('an app that does not take it', () => {
  it('leaves the uploader with a clear error, the file stored, and the word tried again', async () => {
    app.behaviour = (response) => response.writeHead(500).end('boom');
    const { key, url } = signed();
    await register(key, { awaitServerData: true });
    const { status, body } = await putFile(url, 'hello');
    expect([status, body.error, body.message]).toEqual([
      502,
      'callback_failed',
      expect.stringContaining('answered 500'),
    ]);
    expect(await (await fetch(`${server.url}/f/${key}`)).text()).toBe('hello');
    const [failed] = await callbacksOf(key);
    expect(failed).toMatchObject({
      state: 'pending',
      attempts: 1,
      lastStatus: 500,
      lastError: 'the receiver answered 500',
    });

    app.behaviour = answering({ callbackData: 'at last' });
    expectData(await server.api('POST', `/callbacks/${failed?.id}/replay`));
    await expect.poll(async () => (await callbacksOf(key))[0]?.state).toBe('delivered');
    expect((await putFile(url, '', { start: 5 })).body.serverData).toBe('at last');
  });

  it('is told again by itself', async () => {
    let calls = 0;
    app.behaviour = (response) => {
      calls += 1;
      response.writeHead(calls === 1 ? 503 : 204).end();
    };
    const { key, url } = signed();
    await register(key);
    await putFile(url, 'hello');
    await expect.poll(() => told(key).length, { timeout: 40_000 }).toBe(2);
    const [first, second] = told(key);
    expect(second?.text).toBe(first?.text);
  }, 60_000);

  it('says itself what went wrong', async () => {
    app.behaviour = answering({ error: 'the database of the app is down' });
    const { key, url } = signed();
    await register(key, { awaitServerData: true });
    const { status, body } = await putFile(url, 'hello');
    expect([status, body.details]).toEqual([502, { reason: 'the database of the app is down' }]);
  });

  it('is told of a file that was refused', async () => {
    const page = '<html></html>';
    const { key, url } = signed({ size: page.length, type: 'image/png', name: 'a.png' });
    await register(key);
    expect((await putFile(url, page)).status).toBe(415);
    await expect.poll(() => app.received.length).toBe(1);
    const [{ headers, text, body }] = app.received as [Received];
    expect(headers['uploadthing-hook']).toBe('error');
    expect(headers['x-uploadthing-signature']).toBe(hmac(server.apiKey, text));
    expect(body).toEqual({ fileKey: key, error: expect.stringContaining('text/html') });
  });
});

describe('an app in development', () => {
  const lines = async (response: Response, count: number): Promise<Record<string, string>[]> => {
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let text = '';
    while (text.split('\n').filter(Boolean).length < count) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, string>);
  };
  const stream = (keys: string[], signal?: AbortSignal): Promise<Response> =>
    fetch(`${server.url}/uploadthing/ingest/route-metadata`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-uploadthing-api-key': server.apiKey },
      body: JSON.stringify({
        ...{ fileKeys: keys, metadata: {}, isDev: true, callbackUrl: 'http://localhost:1/x', callbackSlug: 's' },
        awaitServerData: true,
      }),
      ...(signal ? { signal } : {}),
    });

  it('is told by the stream that it holds open, which ends with the last file', async () => {
    const [first, second] = [signed(), signed({ type: 'image/png', size: 5 })];
    const response = await stream([first.key, second.key]);
    expect(response.status).toBe(200);
    const uploading = putFile(first.url, 'hello');
    const [line] = await lines(response.clone(), 1);
    expect(line).toMatchObject({ hook: 'callback', signature: hmac(server.apiKey, line?.payload ?? '') });
    await ask(server, '/ingest/callback-result', { fileKey: first.key, callbackData: { ok: 1 } });
    expect((await uploading).body.serverData).toEqual({ ok: 1 });
    expect((await putFile(second.url, 'hello')).status).toBe(415);
    const all = (await response.text())
      .split('\n')
      .filter(Boolean)
      .map((text) => JSON.parse(text) as { hook: string });
    expect(all.map(({ hook }) => hook)).toEqual(['callback', 'error']);
  });

  it('is told of what came before it asked', async () => {
    const { key, url } = signed();
    const uploading = putFile(url, 'hello');
    await expect.poll(async () => (await fetch(`${server.url}/f/${key}`)).status).toBe(200);
    const [line] = await lines(await stream([key]), 1);
    expect(JSON.parse(line?.payload ?? '')).toMatchObject({ file: { key } });
    await ask(server, '/ingest/callback-result', { fileKey: key, callbackData: 'late' });
    expect((await uploading).body.serverData).toBe('late');
  });

  it('does not lose what happened while it was away', async () => {
    const { key, url } = signed();
    const gone = new AbortController();
    await stream([key], gone.signal);
    gone.abort();
    const uploading = putFile(url, 'hello');
    await expect.poll(async () => (await callbacksOf(key))[0]?.state).toBe('pending');
    await lines(await stream([key]), 1);
    await ask(server, '/ingest/callback-result', { fileKey: key, callbackData: null });
    expect((await uploading).status).toBe(200);
  });
});

describe('what apps say', () => {
  it('is refused without a key, with another kind of key, and of no proper form', async () => {
    const body = { fileKeys: [newKey()], callbackUrl: app.url, callbackSlug: 's' };
    expect((await ask(server, '/ingest/route-metadata', body, null)).status).toBe(401);
    const json = { name: 'plain', permissions: ['files:write'] };
    const { key } = expectData(await server.api<{ key: string }>('POST', '/api-keys', { json }), 201);
    expect((await ask(server, '/ingest/route-metadata', body, key)).status).toBe(403);
    for (const wrong of [
      { fileKeys: [] },
      { fileKeys: ['../x'] },
      { callbackUrl: 'file:///etc/passwd' },
      { callbackUrl: 'nothing' },
      { metadata: { long: 'x'.repeat(100_000) } },
    ]) {
      expect((await ask(server, '/ingest/route-metadata', { ...body, ...wrong })).status, JSON.stringify(wrong)).toBe(
        400,
      );
    }
    expect((await ask(server, '/ingest/callback-result', { fileKey: newKey(), callbackData: 1 })).status).toBe(404);
  });
});

describe('a callback into a private network', () => {
  it('is not made, and says why', async () => {
    const guarded = await startServer();
    try {
      const { key, url } = signUpload(guarded, { size: 5, slug: 's' });
      for (const callbackUrl of [app.url, 'http://[::ffff:7f00:1]:9/x', 'http://169.254.169.254/latest']) {
        await ask(guarded, '/ingest/route-metadata', {
          ...{ fileKeys: [key], isDev: false, callbackUrl, callbackSlug: 's', awaitServerData: true },
        });
      }
      const { status, body } = await putFile(url, 'hello');
      expect([status, body.error, body.message]).toEqual([
        502,
        'callback_failed',
        expect.stringContaining('CARCOSA_WEBHOOK_ALLOW_PRIVATE'),
      ]);
      expect(app.received).toEqual([]);
    } finally {
      await guarded.stop();
    }
  }, 60_000);
});

describe('a server that is killed', () => {
  it('still tells the app, when it is back', async () => {
    app.behaviour = (response) => response.writeHead(500).end();
    const { key, url } = signed();
    await register(key);
    await putFile(url, 'hello');
    await expect.poll(() => told(key)).toHaveLength(1);
    app.behaviour = (response) => response.writeHead(204).end();
    await server.restart({ signal: 'SIGKILL' });
    const [callback] = await callbacksOf(key);
    expect(callback?.state).toBe('pending');
    await expect.poll(() => told(key).length, { timeout: 60_000 }).toBeGreaterThan(1);
    await expect.poll(async () => (await callbacksOf(key))[0]?.state).toBe('delivered');
  }, 120_000);
});
