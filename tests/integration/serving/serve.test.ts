import type { File } from '@carcosa/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { rawConnect, requestHead } from '../../support/raw-http.ts';
import { expectSame, pattern, type ServingNode, ServingWorld } from './support.ts';

const KIB = 1024;
/** Around every size at which the way of sending changes. */
const SIZES = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 1024 * KIB, 1024 * KIB + 1, 2.5 * 1024 * KIB];

describe.each(databaseKinds())('serving, on %s', (kind) => {
  let world: ServingWorld;
  let node: ServingNode;
  beforeAll(async () => {
    world = await ServingWorld.open({ kind });
    node = world.node;
  });
  afterAll(() => world.close());

  it.each(SIZES)('gives %d bytes as they were stored, and HEAD the same without them', async (size) => {
    const bytes = pattern(size);
    const file = await node.put(`sizes/${size}`, bytes);
    const answer = await node.get(file.url);
    expect(answer.status).toBe(200);
    expectSame(Buffer.from(await answer.arrayBuffer()), bytes);
    const head = await node.get(file.url, {}, 'HEAD');
    const names = (response: Response) =>
      [...response.headers].filter(([name]) => !/^(x-request-id|date|connection|keep-alive)$/.test(name));
    expect(names(head)).toEqual(names(answer));
    expect(head.headers.get('content-length')).toBe(String(size));
    expect(await head.text()).toBe('');
  });

  it('gives any range, and any few of them', async () => {
    const bytes = pattern(2.5 * 1024 * KIB, 7);
    const { url } = await node.put('ranges', bytes);
    const place = fc.nat(bytes.length - 1);
    const range = fc
      .tuple(place, fc.oneof(place, fc.constantFrom(0, 1, 64 * KIB, 1024 * KIB)))
      .map(([start, length]) => ({
        start,
        end: Math.min(start + length, bytes.length - 1),
      }));
    await fc.assert(
      fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 4 }), async (ranges) => {
        const header = `bytes=${ranges.map(({ start, end }) => `${start}-${end}`).join(',')}`;
        const answer = await node.get(url, { range: header });
        const body = Buffer.from(await answer.arrayBuffer());
        const slices = ranges.map(({ start, end }) => bytes.subarray(start, end + 1));
        const total = slices.reduce((sum, slice) => sum + slice.length, 0);
        expect(answer.headers.get('content-length')).toBe(String(body.length));
        if (ranges.length > 1 && total > bytes.length) {
          expect(answer.status).toBe(200);
          expectSame(body, bytes);
        } else if (ranges.length === 1) {
          expect(answer.status).toBe(206);
          expect(answer.headers.get('content-range')).toBe(
            `bytes ${ranges[0]?.start}-${ranges[0]?.end}/${bytes.length}`,
          );
          expectSame(body, slices[0] as Buffer);
        } else {
          expect(answer.status).toBe(206);
          const parts = multipartOf(answer.headers.get('content-type') ?? '', body);
          expect(parts.map(({ range: text }) => text)).toEqual(
            ranges.map(({ start, end }) => `bytes ${start}-${end}/${bytes.length}`),
          );
          for (const [index, part] of parts.entries()) expectSame(part.content, slices[index] as Buffer);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('answers pipelined requests in their order', async () => {
    const small = await node.put('pipelined/small', 'small');
    const large = await node.put('pipelined/large', pattern(700 * KIB, 3));
    const connection = await rawConnect(node.url);
    const ask = (file: File, range: string) => requestHead('GET', `/f/${file.key}`, { range });
    await connection.write(
      ask(large, 'bytes=0-') + ask(small, 'bytes=1-2') + ask(large, 'bytes=600000-') + ask(small, 'bytes=9-'),
    );
    expectSame((await connection.response()).body, pattern(700 * KIB, 3));
    expect((await connection.response()).body.toString()).toBe('ma');
    expectSame((await connection.response()).body, pattern(700 * KIB, 3).subarray(600_000));
    expect((await connection.response()).status).toBe(416);
    connection.destroy();
  });

  it('answers conditions', async () => {
    const { url } = await node.put('conditions', 'content');
    const { headers } = await node.get(url);
    const etag = headers.get('etag') ?? '';
    const modified = headers.get('last-modified') ?? '';
    const notModified = await node.get(url, { 'if-none-match': `W/${etag}, "x"` });
    expect(notModified.status).toBe(304);
    for (const name of ['etag', 'cache-control', 'last-modified'])
      expect(notModified.headers.get(name)).toBe(headers.get(name));
    expect((await node.get(url, { 'if-modified-since': modified })).status).toBe(304);
    expect((await node.get(url, { 'if-none-match': '"x"', 'if-modified-since': modified })).status).toBe(200);
    const failed = await node.get(url, { 'if-match': '"x"' });
    expect([failed.status, (await failed.json()).error]).toEqual([412, 'precondition_failed']);
    expect((await node.get(url, { 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' })).status).toBe(412);
    expect((await node.get(url, { range: 'bytes=1-2', 'if-range': etag })).status).toBe(206);
    expect((await node.get(url, { range: 'bytes=1-2', 'if-range': '"x"' })).status).toBe(200);
    expect((await node.get(url, { range: 'bytes=1-2' }, 'HEAD')).status).toBe(200);
  });

  it('says what is wrong with a range, with the length', async () => {
    const { url } = await node.put('unsatisfiable', '12345');
    const answer = await node.get(url, { range: 'bytes=5-' });
    expect([answer.status, answer.headers.get('content-range')]).toEqual([416, 'bytes */5']);
    expect(await answer.json()).toMatchObject({ error: 'range_not_satisfiable', details: { size: 5 } });
  });

  it('keeps versions for ever, and the bare address for no time', async () => {
    const file = await node.put('versions', 'one');
    expect((await node.get(file.url)).headers.get('cache-control')).toBe('public, max-age=0, must-revalidate');
    await node.put('versions', 'two');
    expect((await node.bytes(file.url)).toString()).toBe('two');
    for (const [version, text] of [
      [1, 'one'],
      [2, 'two'],
    ]) {
      const answer = await node.get(`${file.url}?v=${version}`);
      expect(await answer.text()).toBe(text);
      expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    }
    for (const version of ['3', '0', '-1', '', 'x', '1.0', '01', '99999999999999999999', '4294967296']) {
      expect((await node.get(`${file.url}?v=${version}`)).status).toBe(404);
    }
    expect((await node.get(`${file.url}?v=1&v=2`)).status).toBe(404);
  });

  it('tells of a restored version that the content changed', async () => {
    const file = await node.put('restored', 'one');
    const first = await node.get(file.url);
    await node.put('restored', 'two');
    await node.api('POST', `/files/${file.id}/versions/1/restore`);
    const restored = await node.get(file.url);
    expect(await restored.text()).toBe('one');
    expect(restored.headers.get('etag')).toBe(first.headers.get('etag'));
    expect(Date.parse(restored.headers.get('last-modified') ?? '')).toBeGreaterThanOrEqual(
      Date.parse(first.headers.get('last-modified') ?? ''),
    );
  });

  it('downloads under the name of the file, or one that is asked for', async () => {
    const file = await node.put('names/naïve "q".txt', 'x', { type: 'text/plain' });
    const name = async (query: string) => (await node.get(`${file.url}${query}`)).headers.get('content-disposition');
    const own = `filename="na_ve _q_.txt"; filename*=UTF-8''na%C3%AFve%20%22q%22.txt`;
    expect(await name('')).toBe(`inline; ${own}`);
    for (const query of ['?download', '?download=', '?download=1', '?download=true'])
      expect(await name(query)).toBe(`attachment; ${own}`);
    expect(await name('?download=other.txt')).toBe('attachment; filename="other.txt"');
    expect(await name(`?download=${encodeURIComponent('a\r\nSet-Cookie: b=c/../d')}`)).toBe(
      'attachment; filename="a__Set-Cookie: b=c_.._d"',
    );
  });

  it('gives its bytes by id to the project, and to nobody else', async () => {
    const file = await node.put('by-id', 'private', { visibility: 'private' });
    const answer = await node.download(file.id);
    expect([answer.status, await answer.text()]).toEqual([200, 'private']);
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="by-id"');
    expect(answer.headers.get('cache-control')).toBe('private, max-age=0, must-revalidate');
    expect((await node.download(file.id, { range: 'bytes=0-1' })).status).toBe(206);
    expect((await node.get(`/api/v1/files/${file.id}/download`)).status).toBe(401);
    expect((await node.download('file_00000000000000000000000000')).status).toBe(404);
  });

  it('forgets at once what was trashed, restored, hidden and renamed here', async () => {
    const file = await node.put('changing', 'x');
    for (let round = 0; round < 10; round++) {
      expect((await node.get(file.url)).status).toBe(200);
      await node.api('DELETE', `/files/${file.id}`);
      expect((await node.get(file.url)).status).toBe(404);
      await node.api('POST', `/files/${file.id}/restore`);
      expect((await node.get(file.url)).status).toBe(200);
      await node.api('PATCH', `/files/${file.id}`, { visibility: 'private', name: `name-${round}` });
      expect((await node.get(file.url)).status).toBe(403);
      await node.api('PATCH', `/files/${file.id}`, { visibility: 'public' });
      expect((await node.get(file.url)).headers.get('content-disposition')).toContain(`name-${round}`);
    }
  });

  it('has common headers on every answer, errors too', async () => {
    const { url } = await node.put('common', 'x');
    for (const address of [url, '/f/missing', '/f/not/a/file', `${url}?v=9`]) {
      const { headers } = await node.get(address, { 'x-request-id': 'given-by-client' });
      expect(headers.get('x-request-id')).toBe('given-by-client');
      expect(headers.get('access-control-allow-origin')).toBe('*');
    }
    expect((await node.get(url, {}, 'POST')).status).toBe(405);
    const preflight = await node.get(
      url,
      { origin: 'https://a.example', 'access-control-request-method': 'GET' },
      'OPTIONS',
    );
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*']);
  });
});

/** The parts of a multipart/byteranges body (RFC 9110, section 14.6), read by their lengths. */
function multipartOf(contentType: string, body: Buffer): { range: string; content: Buffer }[] {
  const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(contentType)?.[1];
  const parts: { range: string; content: Buffer }[] = [];
  let at = 0;
  for (;;) {
    const start = parts.length === 0 ? `--${boundary}\r\n` : `\r\n--${boundary}`;
    expect(body.toString('latin1', at, at + start.length)).toBe(start);
    at += start.length;
    if (body.toString('latin1', at, at + 2) === '--') break;
    const end = body.indexOf('\r\n\r\n', at);
    const range = /Content-Range: (bytes (\d+)-(\d+)\/\d+)/.exec(body.toString('latin1', at, end));
    const length = Number(range?.[3]) - Number(range?.[2]) + 1;
    parts.push({ range: range?.[1] ?? '', content: body.subarray(end + 4, end + 4 + length) });
    at = end + 4 + length;
  }
  expect(body.toString('latin1', at)).toBe('--\r\n');
  return parts;
}
