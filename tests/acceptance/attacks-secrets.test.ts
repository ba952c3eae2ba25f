import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directUpload, initUpload } from '../support/direct.ts';
import { postRaw, put, serve } from '../support/files.ts';
import { rawExchange, requestHead } from '../support/raw-http.ts';
import { type Server, startServer } from '../support/server.ts';
import { TUS, tus, tusUpload } from '../support/tus.ts';
import type { SignedUrl } from '../support/wire.ts';

let server: Server;
let secret: string;
beforeAll(async () => {
  server = await startServer({
    env: { CARCOSA_LOG_LEVEL: 'trace', CARCOSA_SECRET: 'root-secret-of-this-very-test-0123456789' },
  });
  secret = server.apiKey.split('_').at(-1) as string;
});
afterAll(() => server.stop());

describe('keys are in no log (20)', () => {
  it('however they were sent, right or wrong, at the most talkative level', async () => {
    const guessed = 'sk_guessed_ThisSecretWasWrongButCouldBeRight';
    await server.api('GET', '/files');
    await server.api('GET', '/files', { key: guessed });
    await server.api('GET', '/files', { key: null, headers: { 'x-api-key': server.apiKey } });
    await server.api('GET', '/files', { key: null, headers: { cookie: `session=${server.apiKey}` } });
    await server.api('GET', `/files?apiKey=${server.apiKey}&x-api-key=${server.apiKey}`);
    await server.api('GET', `/nothing/${server.apiKey}`);
    await server.request('/', {
      headers: { authorization: `Basic ${Buffer.from(`x:${server.apiKey}`).toString('base64')}` },
    });
    await postRaw(server, 'x', { path: 'a.txt' });
    await server.api('POST', '/uploads/init', { json: { fileName: 'x', size: 'wrong', apiKey: server.apiKey } });
    await server.api('POST', '/uploads/init', {
      body: `{"fileName": "${server.apiKey}", `,
      headers: { 'content-type': 'application/json' },
    });
    await directUpload(server, Buffer.from('x'));
    await tusUpload(server, Buffer.from('x'), { filename: 'x' });
    await tus(server, 'POST', TUS, { headers: { 'upload-length': 'wrong' } });
    await rawExchange(
      server.url,
      `GET / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.apiKey}\r\nbad header\r\n\r\n`,
    );
    await rawExchange(
      server.url,
      requestHead('GET', '/api/v1/files', { authorization: `Bearer ${server.apiKey}`, 'content-length': 'x' }),
    );
    await server.restart();
    expect(server.logs).not.toContain(secret);
    expect(server.logs).not.toContain('ThisSecretWasWrongButCouldBeRight');
    expect(server.logs, 'the root secret neither').not.toContain('root-secret-of-this-very-test');
  });

  it('nor are signatures that still open something', async () => {
    const file = await put(server, 'x', { path: 'signed', visibility: 'private' });
    const { url } = (await server.api<SignedUrl>('POST', `/files/${file.id}/signed-url`, { json: {} })).data;
    await serve(server, url);
    const init = (await initUpload(server, { fileName: 'x', size: 1 })).data;
    await fetch(init.url as string, { method: 'PUT', body: 'x' });
    expect(server.logs).not.toContain(new URL(url).searchParams.get('signature'));
    for (const value of new URL(init.url as string).searchParams.values()) {
      if (value.length >= 32) expect(server.logs).not.toContain(value);
    }
  });
});

describe('keys are kept only as hashes (20)', () => {
  it('the secret is in no file of the data directory but local.json', async () => {
    const entries = await readdir(server.dataDir, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) {
      const bytes = await readFile(file).catch(() => Buffer.alloc(0));
      if (path.basename(file) === 'local.json') continue;
      expect(bytes.includes(secret), file).toBe(false);
    }
  });
});

describe('no answer says more than it should', () => {
  it('a wrong key, no key and a key of nobody are told the same', async () => {
    const [publicId] = server.apiKey.split('_').slice(1);
    const keys = [
      null,
      `sk_${publicId}_${'0'.repeat(secret.length)}`,
      `sk_nobody_${'0'.repeat(secret.length)}`,
      'nonsense',
    ];
    const bodies = await Promise.all(keys.map((key) => server.api('GET', '/files', { key })));
    for (const answer of bodies) {
      expect(answer.status).toBe(401);
      expect((answer.body as { error: string }).error).toBe('unauthenticated');
    }
  });

  it.each([
    '../local.json',
    '..%2flocal.json',
    '%2e%2e/local.json',
    '..%252flocal.json',
    '....//local.json',
    '..\\local.json',
    '/etc/passwd',
    'local.json',
  ])('%s is never read out of the data directory (1)', async (target) => {
    for (const prefix of ['/', '/f/', '/api/v1/docs/', '/api/v1/docs/static/', '/api/v1/files/', '/api/v1/tus/']) {
      const { status, body } = await rawExchange(
        server.url,
        requestHead('GET', `${prefix}${target}`, { 'x-api-key': server.apiKey }),
      );
      expect(body.toString(), `${prefix}${target}`).not.toContain(secret);
      expect(body.toString()).not.toMatch(/root:.*:0:0:/);
      expect(status).toBeLessThan(500);
    }
  });

  it('a failure deep inside tells a code and a request id, no more', async () => {
    const answer = await server.api('GET', '/files', {
      query: { cursor: Buffer.from('{"v":[{}],"id":1}').toString('base64url') },
    });
    expect(JSON.stringify(answer.body)).not.toMatch(/select |postgres|node_modules|\/work|syntax error/i);
  });
});
