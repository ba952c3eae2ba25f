import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postRaw } from '../support/files.ts';
import { rawConnect, requestHead } from '../support/raw-http.ts';
import { type LocalJson, modeOf, type Server, startServer } from '../support/server.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

describe('a first start', () => {
  it('prints one ready line with the address', () => {
    const lines = server.logs.split('\n').filter((line) => line.includes('Carcosa is ready at'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`Carcosa is ready at ${server.url}`);
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('prints where the API, the docs and the data are, and a line to paste that uploads a file', () => {
    expect(server.logs).toContain('/api/v1');
    expect(server.logs).toContain('/api/v1/docs');
    expect(server.logs).toContain(server.dataDir);
    expect(server.logs).toMatch(/curl .*\/api\/v1\/files/);
  });

  it('prints two lines to paste that upload a picture and show it resized', async () => {
    const lines = server.logs.split('\n').map((line) => line.trim());
    const upload = lines.find((line) => line.startsWith('curl ') && line.includes('photo.jpg')) ?? '';
    const address = lines.find((line) => line.endsWith('/photo.jpg') && line.startsWith('http')) ?? '';
    const folder = await mkdtemp(path.join(tmpdir(), 'carcosa-paste-'));
    const photo = sharp({ create: { width: 800, height: 600, channels: 3, background: '#3a6' } });
    await photo.jpeg().toFile(path.join(folder, 'photo.jpg'));
    await promisify(execFile)('sh', ['-c', upload], { cwd: folder });
    await rm(folder, { recursive: true });
    const shown = await fetch(address);
    expect(shown.status).toBe(200);
    const picture = await sharp(Buffer.from(await shown.arrayBuffer())).metadata();
    expect(picture).toMatchObject({ format: 'webp', width: 400, height: 300 });
  });

  it('writes local.json for its owner alone, with a key that works', async () => {
    const file = path.join(server.dataDir, 'local.json');
    const local = JSON.parse(await readFile(file, 'utf8')) as LocalJson;
    expect(local).toMatchObject({ url: server.url, projectId: expect.stringMatching(/^prj_/) });
    expect(local.apiKey).toMatch(/^sk_[A-Za-z0-9]+_[A-Za-z0-9_-]{20,}$/);
    expect((await modeOf(file)).toString(8)).toBe('600');
    expect((await server.api('GET', '/files')).status).toBe(200);
  });

  it('lets nobody else read the secrets that it generated', async () => {
    expect(((await modeOf(server.dataDir)) & 0o006).toString(8), 'the data directory is not readable by all').toBe('0');
  });
});

describe('what tells how it is', () => {
  it('/ready answers 200', async () => expect((await server.request('/ready')).status).toBe(200));
  it('/health answers 200', async () => expect((await server.request('/health')).status).toBe(200));
  it('/api/v1/health answers 200 in the envelope, without a key', async () => {
    expect((await server.api('GET', '/health', { key: null })).status).toBe(200);
  });

  it('/ is a page that says what runs and what to try first', async () => {
    const answer = await server.request('/', { headers: { accept: 'text/html' } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/html/);
    const page = await answer.text();
    expect(page).toMatch(/Carcosa/);
    expect(page).toContain('/api/v1/docs');
    expect(page, 'it shows how to upload').toContain('/api/v1/files');
    expect(page, 'a page that anybody may read does not show the key').not.toContain(server.apiKey);
    expect(page, 'nothing is loaded from elsewhere').not.toMatch(
      /(src|href)="(https?:)?\/\/(?!127\.0\.0\.1|localhost)/,
    );
  });

  it('the docs page is there and loads nothing from elsewhere', async () => {
    let answer = await server.request('/api/v1/docs');
    if (answer.status >= 300 && answer.status < 400)
      answer = await server.request(answer.headers.get('location') ?? '');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/html/);
    expect(await answer.text()).not.toMatch(/(src|href)="(https?:)?\/\/(?!127\.0\.0\.1|localhost)/);
  });

  it('an address that is not there is a 404 in the envelope', async () => {
    expect((await server.api('GET', '/nothing-here')).status).toBe(404);
  });

  it('every answer has a request id, and takes over a sensible one', async () => {
    const answer = await server.api('GET', '/files', { headers: { 'x-request-id': 'trace-1234' } });
    expect(answer.headers.get('x-request-id')).toBe('trace-1234');
    const odd = await server.api('GET', '/files', { headers: { 'x-request-id': 'x'.repeat(5000) } });
    expect(odd.headers.get('x-request-id')?.length, 'an endless one is not echoed').toBeLessThan(300);
  });
});

describe('stop and start', () => {
  it('keeps key, project and files over a restart', async () => {
    const file = (await postRaw(server, 'still here', { path: 'restart.txt' })).data;
    await server.restart();
    expect(((await server.api<{ id: string }>('GET', `/files/${file.id}`)).data as { id: string }).id).toBe(file.id);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`${signal} lets a running request finish and exits with 0`, async () => {
      const running = await startServer();
      try {
        const body = Buffer.alloc(64 * 1024, 'd');
        const connection = await rawConnect(running.url);
        const headers = { 'x-api-key': running.apiKey, 'content-type': 'text/plain', 'content-length': body.length };
        await connection.write(requestHead('POST', '/api/v1/files?path=drained.txt', headers));
        await connection.write(body.subarray(0, 1000));
        // The request is with the server once another one, sent later, has been answered.
        await running.api('GET', '/files');
        const exited = running.kill(signal);
        await connection.write(body.subarray(1000));
        const answer = await connection.response();
        expect(answer.status).toBe(201);
        expect(await exited).toEqual({ code: 0, signal: null });
      } finally {
        await running.stop();
      }
    });
  }

  it('SIGTERM does not wait for a client that never finishes', async () => {
    const running = await startServer();
    const connection = await rawConnect(running.url);
    const headers = { 'x-api-key': running.apiKey, 'content-type': 'text/plain', 'content-length': 1000 };
    await connection.write(`${requestHead('POST', '/api/v1/files?path=never.txt', headers)}half`);
    await running.api('GET', '/files');
    const begun = performance.now();
    expect(await running.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(performance.now() - begun, 'drains up to 10 s').toBeLessThan(14_000);
    connection.destroy();
    await running.stop();
  });
});
