import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../support/api.ts';
import { expectFileShape, expectIntact, findByPath, postForm, postRaw, put, serve } from '../support/files.ts';
import { content, oddPath } from '../support/odd-names.ts';
import { patternBytes, sha256, unique } from '../support/random.ts';
import { type RawResponse, rawConnect, rawExchange, requestHead } from '../support/raw-http.ts';
import { type Server, startServer } from '../support/server.ts';
import type { FileInfo } from '../support/wire.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

/** `POST /files` by hand, with any headers and bytes. */
const exchange = (path: string, headers: Record<string, string | number>, body: string): Promise<RawResponse> =>
  rawExchange(
    server.url,
    requestHead('POST', `/api/v1/files?path=${path}`, {
      'x-api-key': server.apiKey,
      'content-type': 'text/plain',
      ...headers,
    }) + body,
  );

describe('a raw body', () => {
  it('answers 201 with the file of the contract', async () => {
    const file = expectData(await postRaw(server, 'hello', { path: 'raw/hello.txt', contentType: 'text/plain' }), 201);
    expectFileShape(file);
    expect(file).toMatchObject({
      name: 'hello.txt',
      path: 'raw/hello.txt',
      size: 5,
      sha256: sha256(Buffer.from('hello')),
      declaredContentType: 'text/plain',
      contentType: expect.stringMatching(/^text\/plain/),
      version: 1,
      visibility: 'public',
      metadata: {},
      tags: [],
      tenantId: null,
    });
    await expectIntact(server, file, Buffer.from('hello'));
    expect((await server.api<FileInfo>('GET', `/files/${file.id}`)).data).toMatchObject(file);
  });

  it('is at its public address at once', async () => {
    const file = await put(server, 'at once', { path: 'raw/public.txt', contentType: 'text/plain' });
    const served = await serve(server, file.url);
    expect(served.status).toBe(200);
    expect(served.bytes.toString()).toBe('at once');
  });

  it('may be empty', async () => {
    const file = expectData(await postRaw(server, '', { path: 'raw/empty.bin' }), 201);
    expect(file).toMatchObject({ size: 0, sha256: sha256(Buffer.alloc(0)) });
    await expectIntact(server, file, Buffer.alloc(0));
  });

  it('may be empty without a Content-Length too', async () => {
    const answer = await exchange('raw/empty-chunked.bin', { 'transfer-encoding': 'chunked' }, '0\r\n\r\n');
    expect(answer.status, answer.body.toString()).toBe(201);
  });

  it('may be of unknown length', async () => {
    const bytes = patternBytes('chunked', 3 * 2 ** 20 + 17);
    const stream = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 100_003) controller.enqueue(bytes.subarray(at, at + 100_003));
        controller.close();
      },
    });
    const answer = await server.api<FileInfo>('POST', '/files', { body: stream, query: { path: 'raw/chunked.bin' } });
    await expectIntact(server, expectData(answer, 201), bytes);
  });

  it('takes visibility', async () => {
    const file = expectData(await postRaw(server, 'secret', { path: 'raw/private.txt', visibility: 'private' }), 201);
    expect(file.visibility).toBe('private');
    expect((await serve(server, `/f/${file.key}`)).status).not.toBe(200);
    await expectIntact(server, file, Buffer.from('secret'));
  });

  it.each([1, 4095, 4096, 65_535, 65_536, 65_537, 5 * 2 ** 20 + 1])('keeps %i bytes as they are', async (size) => {
    const bytes = patternBytes(`size ${size}`, size);
    await expectIntact(server, await put(server, bytes, { path: `sizes/${size}` }), bytes);
  });

  it('keeps any content under any name that it takes', async () => {
    await fc.assert(
      fc.asyncProperty(oddPath, content, async (path, bytes) => {
        const unusual = `${unique('p')}/${path}`;
        if (Buffer.byteLength(unusual) > 1024) return;
        const file = expectData(await postRaw(server, bytes, { path: unusual }), 201);
        expect(file.path).toBe(unusual);
        await expectIntact(server, file, bytes);
      }),
      { numRuns: 40 },
    );
  });
});

describe('a form', () => {
  it('answers 201 with path, visibility and metadata as sent', async () => {
    const metadata = { album: 'été', nested: { deep: [1, 2.5, null, true, 'x'] } };
    const options = { path: 'forms/one.txt', visibility: 'private' as const, metadata, contentType: 'text/plain' };
    const file = expectData(await postForm(server, 'form', { ...options, fileName: 'ignored.txt' }), 201);
    expectFileShape(file);
    expect(file).toMatchObject({
      path: 'forms/one.txt',
      name: 'one.txt',
      visibility: 'private',
      metadata,
      declaredContentType: 'text/plain',
    });
    await expectIntact(server, file, Buffer.from('form'));
  });

  it('takes the name of the file where no path is given, and makes a file of its own each time', async () => {
    const file = expectData(await postForm(server, 'named', { fileName: 'naïve – 名前.txt' }), 201);
    expect(file.name).toBe('naïve – 名前.txt');
    const other = expectData(await postForm(server, 'other', { fileName: 'naïve – 名前.txt' }), 201);
    expect(other.id, 'strangers who both send image.jpg do not replace each other').not.toBe(file.id);
    await expectIntact(server, file, Buffer.from('named'));
  });

  it('takes the fields after the file as well', async () => {
    const form = new FormData();
    form.append('file', new Blob(['late']), 'late.txt');
    form.append('path', 'forms/late.txt');
    form.append('visibility', 'private');
    form.append('metadata', '{"late":true}');
    const file = expectData(await server.api<FileInfo>('POST', '/files', { body: form }), 201);
    expect(file).toMatchObject({ path: 'forms/late.txt', visibility: 'private', metadata: { late: true } });
  });

  it('takes an empty file', async () => {
    const file = expectData(await postForm(server, '', { path: 'forms/empty' }), 201);
    await expectIntact(server, file, Buffer.alloc(0));
  });

  it('keeps bytes that look like a boundary', async () => {
    const bytes = Buffer.from('\r\n--boundary\r\n----\r\n--boundary--\r\n-\r-\n--');
    await expectIntact(server, expectData(await postForm(server, bytes, { path: 'forms/boundary' }), 201), bytes);
  });

  it('without a file is refused', async () => {
    const form = new FormData();
    form.append('path', 'forms/none.txt');
    expectRefused(await server.api('POST', '/files', { body: form }), 400);
    expect(await findByPath(server, 'forms/none.txt')).toBeUndefined();
  });

  it.each(['{', '[]', '"text"', 'null', '12', ''])(
    'with metadata %j, which is not an object, is refused',
    async (metadata) => {
      expectRefused(await postForm(server, 'x', { path: 'forms/metadata.txt', metadata }), 400, 422);
      expect(await findByPath(server, 'forms/metadata.txt')).toBeUndefined();
    },
  );

  it('with an unknown visibility is refused', async () => {
    expectRefused(await postForm(server, 'x', { path: 'forms/v.txt', visibility: 'everyone' as 'public' }), 400);
  });

  it.each([
    ['has no boundary', 'multipart/form-data', 'x'],
    [
      'ends in the middle',
      'multipart/form-data; boundary=b',
      '--b\r\ncontent-disposition: form-data; name="file"; filename="cut"\r\n\r\nhal',
    ],
    ['is no form at all', 'multipart/form-data; boundary=b', 'not a form'],
  ])('that %s is refused, and keeps nothing', async (_, contentType, body) => {
    const answer = await rawExchange(
      server.url,
      requestHead('POST', '/api/v1/files', {
        'x-api-key': server.apiKey,
        'content-type': contentType,
        'content-length': body.length,
      }) + body,
    );
    expect(answer.status, answer.body.toString()).toBe(400);
    expect(await findByPath(server, 'cut')).toBeUndefined();
  });
});

describe('the same path again', () => {
  it('makes a version of the same file', async () => {
    const first = await put(server, 'one', { path: 'again/x.txt' });
    const second = await put(server, 'two, longer', { path: 'again/x.txt' });
    expect(second).toMatchObject({ id: first.id, key: first.key, version: 2, size: 11 });
    await expectIntact(server, second, Buffer.from('two, longer'));
  });

  it('by many at once makes as many versions, each whole', async () => {
    const bodies = Array.from({ length: 12 }, (_, index) => Buffer.from(`writer ${index}`));
    const files = await Promise.all(bodies.map((body) => put(server, body, { path: 'again/race.txt' })));
    expect(new Set(files.map(({ id }) => id)).size).toBe(1);
    expect(files.map(({ version }) => version).sort((a, b) => a - b)).toEqual(bodies.map((_, index) => index + 1));
    for (const [index, file] of files.entries()) expect(file.sha256).toBe(sha256(bodies[index] as Buffer));
  });
});

describe('a declared length or checksum', () => {
  it('that is longer than the body keeps nothing', async () => {
    const connection = await rawConnect(server.url);
    const headers = { 'x-api-key': server.apiKey, 'content-type': 'text/plain', 'content-length': 100 };
    await connection.write(`${requestHead('POST', '/api/v1/files?path=lies/short.txt', headers)}only this`);
    connection.end();
    await connection.closed;
    expect(await findByPath(server, 'lies/short.txt')).toBeUndefined();
  });

  it('that is shorter than the body keeps what was declared, or nothing: never more', async () => {
    await exchange('lies/long.txt', { 'content-length': 4 }, 'four and more');
    const file = await findByPath(server, 'lies/long.txt');
    if (file) await expectIntact(server, file, Buffer.from('four'));
  });

  it.each(['-1', '1e3', '0x10', ' ', '1,1', '99999999999999999999'])('that reads %j is refused', async (length) => {
    const answer = await exchange('lies/odd.txt', { 'content-length': length }, 'x');
    expect([400, 413]).toContain(answer.status);
    expect(await findByPath(server, 'lies/odd.txt')).toBeUndefined();
  });

  const body = 'checked content';
  const digest = createHash('sha256').update(body).digest();
  const wrong = createHash('sha256').update('other').digest();

  it('Content-Digest that is right is taken', async () => {
    const headers = { 'content-digest': `sha-256=:${digest.toString('base64')}:` };
    expectData(await postRaw(server, body, { path: 'sums/right.txt', headers }), 201);
  });

  it('x-checksum-sha256 that is right is taken, in either case', async () => {
    for (const hex of [digest.toString('hex'), digest.toString('hex').toUpperCase()]) {
      expectData(
        await postRaw(server, body, { path: `sums/${unique()}.txt`, headers: { 'x-checksum-sha256': hex } }),
        201,
      );
    }
  });

  it.each([
    ['Content-Digest', { 'content-digest': `sha-256=:${wrong.toString('base64')}:` }],
    ['x-checksum-sha256', { 'x-checksum-sha256': wrong.toString('hex') }],
  ])('%s that is wrong is refused, and nothing is kept', async (name, headers) => {
    const path = `sums/wrong-${name}.txt`;
    const error = expectRefused(await postRaw(server, body, { path, headers }), 400, 409, 422);
    expect(error.error).toBe('checksum_mismatch');
    expect(await findByPath(server, path)).toBeUndefined();
  });

  it.each([
    ['Content-Digest', { 'content-digest': 'sha-256=nonsense' }],
    ['x-checksum-sha256', { 'x-checksum-sha256': 'abc' }],
  ])('%s that is no checksum is refused', async (name, headers) => {
    const path = `sums/malformed-${name}.txt`;
    expectRefused(await postRaw(server, body, { path, headers }), 400);
    expect(await findByPath(server, path)).toBeUndefined();
  });

  it('Content-Digest with only algorithms that are unknown here is no reason to refuse (RFC 9530, 2)', async () => {
    const headers = { 'content-digest': 'id-adler=:AAAAAA==:' };
    expectData(await postRaw(server, body, { path: 'sums/unknown.txt', headers }), 201);
  });

  it('a wrong checksum of a new version leaves the old one as it was', async () => {
    const before = await put(server, 'the good one', { path: 'sums/kept.txt' });
    expectRefused(
      await postRaw(server, 'bad', { path: 'sums/kept.txt', headers: { 'x-checksum-sha256': wrong.toString('hex') } }),
      400,
      409,
      422,
    );
    const after = (await server.api<FileInfo>('GET', `/files/${before.id}`)).data;
    expect(after.version).toBe(1);
    await expectIntact(server, after, Buffer.from('the good one'));
  });
});

describe('who may', () => {
  it.each([
    ['nobody', null],
    ['a key that is none', 'sk_nobody_0000000000000000000000000000000000000000'],
    ['half a key', 'sk_'],
    ['something else', 'Basic'],
  ])('%s gets 401, and nothing is kept', async (_, key) => {
    expectRefused(await postRaw(server, 'x', { path: 'who/x.txt', key }), 401);
    expect(await findByPath(server, 'who/x.txt')).toBeUndefined();
  });

  it('the right public id with a wrong secret gets 401', async () => {
    const forged = server.apiKey.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    expectRefused(await postRaw(server, 'x', { path: 'who/forged.txt', key: forged }), 401);
  });

  it('x-api-key does as well as a bearer', async () => {
    const answer = await postRaw(server, 'x', {
      path: 'who/header.txt',
      key: null,
      headers: { 'x-api-key': server.apiKey },
    });
    expectData(answer, 201);
  });
});

describe('a refusal before the body has come', () => {
  it.each([
    ['a wrong path', 'path=../out', {}, 400],
    ['a wrong key', 'path=x', { 'x-api-key': 'sk_nobody_00000000' }, 401],
  ])('(%s) is answered at once, and the connection is closed or goes on', async (_, query, headers, status) => {
    const size = 3_000_000;
    const connection = await rawConnect(server.url);
    const own = { 'x-api-key': server.apiKey, 'content-type': 'text/plain', 'content-length': size, ...headers };
    await connection.write(requestHead('POST', `/api/v1/files?${query}`, own));
    await connection.write(Buffer.alloc(1000));
    const answer = await connection.response();
    expect(answer.status).toBe(status);
    // A client that was not told "close" sends the rest and uses the connection again.
    if (answer.headers.connection?.toLowerCase() === 'close') return connection.destroy();
    await connection.write(Buffer.alloc(size - 1000));
    await connection.write(requestHead('GET', '/health', {}));
    expect((await connection.response(10_000)).status).toBe(200);
    connection.destroy();
  });
});

describe('while a body is under way', () => {
  it('nothing of it is listed or served, and giving up leaves nothing', async () => {
    const connection = await rawConnect(server.url);
    const headers = { 'x-api-key': server.apiKey, 'content-type': 'text/plain', 'content-length': 1_000_000 };
    await connection.write(requestHead('POST', '/api/v1/files?path=halves/x.bin', headers));
    await connection.write(Buffer.alloc(500_000));
    expect(await findByPath(server, 'halves/x.bin')).toBeUndefined();
    connection.destroy();
    await connection.closed;
    expect(await findByPath(server, 'halves/x.bin')).toBeUndefined();
    expect((await put(server, 'whole', { path: 'halves/x.bin' })).version, 'the half was never a version').toBe(1);
  });

  it('of 40 uploads at once, of which every other one is cut off, the others are whole', async () => {
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const bytes = patternBytes(`half ${index}`, 200_000 + index);
        const path = `halves/${index}`;
        if (index % 2 === 0) return expectIntact(server, await put(server, bytes, { path }), bytes);
        const connection = await rawConnect(server.url);
        const headers = { 'x-api-key': server.apiKey, 'content-length': bytes.length };
        await connection.write(requestHead('POST', `/api/v1/files?path=${path}`, headers));
        await connection.write(bytes.subarray(0, 5000 * index));
        connection.destroy();
        await connection.closed;
      }),
    );
    for (let index = 1; index < 40; index += 2) expect(await findByPath(server, `halves/${index}`)).toBeUndefined();
  });
});
