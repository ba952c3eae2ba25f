import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findByPath, put, serve } from '../support/files.ts';
import { type RawConnection, rawConnect, rawExchange, requestHead } from '../support/raw-http.ts';
import { type Server, startServer } from '../support/server.ts';
import { OFFSET_STREAM, TUS, tusCreate, tusOffset } from '../support/tus.ts';

let server: Server;
let pid: number;
beforeAll(async () => {
  server = await startServer();
  pid = server.pid;
});
afterEach(async () => {
  // Whatever a test sent: the same process is still there and well.
  expect(server.running).toBe(true);
  expect(server.pid).toBe(pid);
  expect((await server.request('/ready')).status).toBe(200);
});
afterAll(() => server.stop());

const post = (path: string): string =>
  `POST /api/v1/files?path=${path} HTTP/1.1\r\nhost: x\r\nx-api-key: ${server.apiKey}\r\n`;

/** The status of the first response; 0 when the server hung up without one. */
const statusOf = (bytes: string): Promise<number> =>
  rawExchange(server.url, bytes).then(
    ({ status }) => status,
    (error: Error) => {
      if (!error.message.includes('hung up')) throw error;
      return 0;
    },
  );

describe('requests that two readers would read differently (28)', () => {
  const smuggled = 'GET /api/v1/files HTTP/1.1\r\nhost: x\r\n\r\n';
  it.each([
    [
      'Content-Length and Transfer-Encoding',
      `content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    ['two Content-Lengths', 'content-length: 3\r\ncontent-length: 5\r\n\r\nabcde'],
    ['two lengths in one header', 'content-length: 3, 5\r\n\r\nabcde'],
    ['a length with a sign', 'content-length: +5\r\n\r\nabcde'],
    ['a length below zero', 'content-length: -5\r\n\r\nabcde'],
    ['Transfer-Encoding twice', 'transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n'],
    ['an unknown transfer coding', 'transfer-encoding: xchunked\r\n\r\n0\r\n\r\n'],
    ['a blank before the colon', 'content-length : 5\r\n\r\nabcde'],
    ['a folded header', 'content-length: 5\r\n x: y\r\n\r\nabcde'],
    ['a NUL in a header', 'x-odd: a\u0000b\r\ncontent-length: 5\r\n\r\nabcde'],
    ['a bare CR in a header', 'x-odd: a\rb\r\ncontent-length: 5\r\n\r\nabcde'],
    ['a chunk size that is none', 'transfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n'],
    ['a chunk size below zero', 'transfer-encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n'],
    ['a chunk longer than it says', 'transfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n'],
    ['an endless chunk size', `transfer-encoding: chunked\r\n\r\n${'f'.repeat(40)}\r\nabc\r\n0\r\n\r\n`],
  ])('%s: refused, and nothing is kept', async (name, rest) => {
    const path = `smuggled-${encodeURIComponent(name)}`;
    const status = await statusOf(`${post(path)}${rest}`);
    expect(status === 0 || (status >= 400 && status < 500), `${status}`).toBe(true);
    expect(await findByPath(server, `smuggled-${name}`)).toBeUndefined();
  });

  it('a second request hidden behind CL+TE is not answered', async () => {
    const connection = await rawConnect(server.url);
    const hidden = `GET /health HTTP/1.1\r\nhost: x\r\n\r\n`;
    await connection.write(
      `${post('hidden')}content-length: ${hidden.length + 5}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    );
    expect((await connection.response()).status).toBe(400);
    await connection.closed;
  });

  it('bare line feeds in place of CR LF', async () => {
    const status = await statusOf(`GET /api/v1/files HTTP/1.1\nhost: x\nx-api-key: ${server.apiKey}\n\n`);
    expect([0, 400]).toContain(status);
    expect([0, 400]).toContain(await statusOf(`${post('bare')}content-length: 5\n\nabcde`));
  });

  it.each([
    ['no method', ' / HTTP/1.1\r\n\r\n'],
    ['another protocol', 'GET / HTTQ/1.1\r\nhost: x\r\n\r\n'],
    ['another version', 'GET / HTTP/9.9\r\nhost: x\r\n\r\n'],
    ['no host', 'GET /api/v1/files HTTP/1.1\r\n\r\n'],
    ['a control character in the target', 'GET /\u0001 HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['binary', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\r\n\r\n'],
  ])('%s is refused', async (_, bytes) => {
    const status = await statusOf(bytes);
    expect(status === 0 || (status >= 400 && status < 500) || status === 505, `${status}`).toBe(true);
  });
});

describe('too much of everything (28)', () => {
  it('a header of 17 kB is 431', async () => {
    const status = await statusOf(`GET /health HTTP/1.1\r\nhost: x\r\nx-long: ${'x'.repeat(17_000)}\r\n\r\n`);
    expect([400, 431]).toContain(status);
  });

  it('5,000 headers are refused', async () => {
    const headers = Array.from({ length: 5000 }, (_, index) => `x-${index}: y\r\n`).join('');
    expect([400, 431]).toContain(await statusOf(`GET /health HTTP/1.1\r\nhost: x\r\n${headers}\r\n`));
  });

  it('an address of 20 kB is refused', async () => {
    expect([400, 414, 431]).toContain(await statusOf(requestHead('GET', `/f/${'x'.repeat(20_000)}`, {})));
  });

  it('a thousand query parameters are no fault', async () => {
    const query = Array.from({ length: 1000 }, (_, index) => `tag=${index}`).join('&');
    expect([200, 400, 414, 431]).toContain(
      await statusOf(requestHead('GET', `/api/v1/files?${query}`, { 'x-api-key': server.apiKey })),
    );
  });

  it.each([
    ['deep lists', `{"metadata":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`],
    ['deep objects', `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`],
    ['a list of a million', `[${'0,'.repeat(1_000_000)}0]`],
    ['a megabyte of text', JSON.stringify({ name: 'x'.repeat(2_000_000) })],
    ['a number of a megabyte', `{"size":${'9'.repeat(1_000_000)}}`],
    ['ten thousand keys alike', `{${Array.from({ length: 10_000 }, () => '"fileName":"x"').join(',')}}`],
  ])('JSON of %s is refused', async (_, body) => {
    const headers = { 'content-type': 'application/json' };
    for (const [method, path] of [
      ['POST', '/uploads/init'],
      ['POST', '/files/bulk'],
    ] as const) {
      const { status } = await server.api(method, path, { body, headers });
      expect([400, 413, 422], path).toContain(status);
    }
  });

  it('metadata as deep in a form, or in the query of a raw upload, is refused or kept', async () => {
    const deep = `{"a":${'['.repeat(3000)}${']'.repeat(3000)}}`;
    const form = new FormData();
    form.append('metadata', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
    form.append('file', new Blob(['x']), 'deep.txt');
    expect([400, 413, 422]).toContain((await server.api('POST', '/files', { body: form })).status);
    const raw = await server.api('POST', '/files', { body: 'x', query: { path: 'deep', metadata: deep } });
    expect([201, 400, 413, 414, 422, 431]).toContain(raw.status);
  });

  it('a form of a thousand fields, or of a field of 10 MiB, is refused or ignores them', async () => {
    const many = new FormData();
    for (let index = 0; index < 1000; index += 1) many.append(`field${index}`, 'x');
    many.append('file', new Blob(['x']), 'many.txt');
    expect([201, 400, 413]).toContain((await server.api('POST', '/files', { body: many })).status);
    const large = new FormData();
    large.append('path', 'x'.repeat(10 * 2 ** 20));
    large.append('file', new Blob(['x']), 'large.txt');
    expect([400, 413]).toContain((await server.api('POST', '/files', { body: large })).status);
  });
});

describe('slow clients (27): others are served all the while', () => {
  const slow: RawConnection[] = [];
  afterAll(() => {
    for (const connection of slow) connection.destroy();
  });

  it('300 connections that stop in the middle of their headers, their body, or reading', async () => {
    const large = await put(server, Buffer.alloc(8 * 2 ** 20, 'r'), { path: 'slow/large' });
    const address = await tusCreate(server, 1_000_000);
    const stalls = [
      `GET /f/${large.key} HTTP/1.1\r\nhost: x\r\nx-slow: `,
      requestHead('POST', '/api/v1/files?path=slow/body', { 'x-api-key': server.apiKey, 'content-length': 1000 }),
      requestHead('POST', '/api/v1/uploads/init', {
        'x-api-key': server.apiKey,
        'content-type': 'application/json',
        'content-length': 100,
      }),
      requestHead('PATCH', new URL(address).pathname, {
        'x-api-key': server.apiKey,
        'tus-resumable': '1.0.0',
        'content-type': OFFSET_STREAM,
        'upload-offset': 0,
        'content-length': 1_000_000,
      }),
      requestHead('GET', `/f/${large.key}`, {}),
      requestHead('POST', TUS, {
        'x-api-key': server.apiKey,
        'tus-resumable': '1.0.0',
        'upload-length': 5,
        'content-length': 5,
      }),
    ];
    for (let index = 0; index < 300; index += 1) {
      const connection = await rawConnect(server.url);
      slow.push(connection);
      connection.pause();
      await connection.write(stalls[index % stalls.length] as string);
    }
    const begun = performance.now();
    for (let index = 0; index < 20; index += 1) {
      const file = await put(server, `fast ${index}`, { path: `fast/${index}` });
      expect((await serve(server, file.url)).bytes.toString()).toBe(`fast ${index}`);
      expect((await server.api('GET', '/files', { query: { limit: 5 } })).status).toBe(200);
    }
    expect(performance.now() - begun, '60 requests beside 300 slow ones').toBeLessThan(10_000);
    expect(await tusOffset(server, address)).toBeGreaterThanOrEqual(0);
    for (const connection of slow) connection.destroy();
  });

  it('a reader that stops does not make the server hold the file in memory', async () => {
    const size = 64 * 2 ** 20;
    const large = await put(server, Buffer.alloc(size, 'm'), { path: 'slow/memory' });
    const before = server.rss();
    const readers = await Promise.all(Array.from({ length: 10 }, () => rawConnect(server.url)));
    for (const reader of readers) {
      reader.pause();
      await reader.write(requestHead('GET', `/f/${large.key}`, {}));
    }
    for (let index = 0; index < 20; index += 1)
      await serve(server, `/f/${large.key}`, { headers: { range: 'bytes=0-9' } });
    expect(server.rss() - before, 'bytes more for ten stalled readers of 64 MiB').toBeLessThan(200 * 2 ** 20);
    for (const reader of readers) reader.destroy();
  });
});
