import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../support/api.ts';
import { now } from '../support/clock.ts';
import { times } from '../support/concurrently.ts';
import {
  completeUpload,
  directUpload,
  initMultipart,
  initUpload,
  type Multipart,
  partOf,
  putSigned,
  sendParts,
  signParts,
  threePartSize,
} from '../support/direct.ts';
import { expectFileShape, expectIntact, findByPath, versionsOf } from '../support/files.ts';
import { patternBytes, seededRandom, sha256, unique } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import type { Page, UploadStatus } from '../support/wire.ts';

let server: Server;
let size: number;
let bytes: Buffer;
beforeAll(async () => {
  server = await startServer();
  size = await threePartSize(server);
  bytes = patternBytes('direct', size);
});
afterAll(() => server.stop());

const begin = (path: string, more = {}): Promise<Multipart> =>
  initMultipart(server, { fileName: 'parts.bin', size, path, ...more });
const status = async (id: string): Promise<UploadStatus> =>
  (await server.api<UploadStatus>('GET', `/uploads/${id}`)).data;
const unfinished = async (): Promise<string[]> => {
  const page = await server.api<Page<UploadStatus>>('GET', '/uploads', {
    query: { status: 'unfinished', limit: 1000 },
  });
  return page.data.items.map(({ id }) => id);
};

describe('in one piece', () => {
  it('init, PUT, complete gives the file', async () => {
    const body = Buffer.from('direct hello');
    const init = expectData(
      await initUpload(server, {
        fileName: 'hello.txt',
        size: body.length,
        contentType: 'text/plain',
        path: 'one/hello.txt',
      }),
      201,
    );
    expect(init.strategy).toBe('single');
    expect(init.uploadId).toMatch(/^upl_/);
    expect(init.url).toMatch(/^http/);
    expect(Date.parse(init.expiresAt)).toBeGreaterThan(now());
    expect(await findByPath(server, 'one/hello.txt'), 'nothing is listed before the end').toBeUndefined();
    const sent = await putSigned(init.url as string, body, init.headers);
    expect(sent.status, sent.text).toBe(200);
    expect(await findByPath(server, 'one/hello.txt'), 'nor before complete').toBeUndefined();
    const file = expectData(await completeUpload(server, init.uploadId));
    expectFileShape(file);
    expect(file).toMatchObject({
      path: 'one/hello.txt',
      declaredContentType: 'text/plain',
      size: body.length,
      version: 1,
    });
    await expectIntact(server, file, body);
    expect((await status(init.uploadId)).status).toBe('completed');
  });

  it('takes the name where no path is given, and visibility and metadata', async () => {
    const metadata = { from: 'direct', n: [1, { a: null }] };
    const file = await directUpload(server, Buffer.from('x'), {
      fileName: 'plain näme.txt',
      visibility: 'private',
      metadata,
    });
    expect(file).toMatchObject({ name: 'plain näme.txt', visibility: 'private', metadata });
  });

  it('of no bytes at all', async () => {
    await expectIntact(server, await directUpload(server, Buffer.alloc(0), { path: 'one/empty' }), Buffer.alloc(0));
  });

  it('may be sent twice before it is completed', async () => {
    const init = (await initUpload(server, { fileName: 'twice', size: 5, path: 'one/twice' })).data;
    expect((await putSigned(init.url as string, Buffer.from('first'), init.headers)).status).toBe(200);
    expect((await putSigned(init.url as string, Buffer.from('later'), init.headers)).status).toBe(200);
    await expectIntact(server, expectData(await completeUpload(server, init.uploadId)), Buffer.from('later'));
  });

  it('can not be completed before it has arrived, and can afterwards', async () => {
    const init = (await initUpload(server, { fileName: 'early', size: 5, path: 'one/early' })).data;
    expectRefused(await completeUpload(server, init.uploadId), 400, 409, 422);
    await putSigned(init.url as string, Buffer.from('early'), init.headers);
    expectData(await completeUpload(server, init.uploadId));
  });
});

describe('in parts', () => {
  it('in order, all at once, says how far it is', async () => {
    const upload = await begin('parts/plain');
    expect(upload.partCount).toBe(3);
    const parts = await sendParts(server, upload, bytes, [1, 2, 3], 1);
    const before = await status(upload.uploadId);
    expect(before.status).toBe('open');
    expect(before.parts?.map(({ partNumber, size: length }) => [partNumber, length])).toEqual([
      [1, upload.partSize],
      [2, upload.partSize],
      [3, size - 2 * upload.partSize],
    ]);
    const file = expectData(await completeUpload(server, upload.uploadId, parts));
    expectFileShape(file);
    await expectIntact(server, file, bytes);
  });

  it.each([1, 2, 3])('in any order and concurrently (round %i)', async (round) => {
    const random = seededRandom();
    const upload = await begin(`parts/shuffled-${round}`);
    const order = random.shuffle([1, 2, 3]);
    const parts = await sendParts(server, upload, bytes, order, random.integer(2, 4));
    const file = expectData(await completeUpload(server, upload.uploadId, random.shuffle(parts)));
    await expectIntact(server, file, bytes);
  });

  it('without a list of parts the server takes all that it received', async () => {
    const upload = await begin('parts/no-list');
    await sendParts(server, upload, bytes);
    await expectIntact(server, expectData(await completeUpload(server, upload.uploadId)), bytes);
  });

  it('a part can be signed again and sent again; the last one counts', async () => {
    const upload = await begin('parts/again');
    const parts = await sendParts(server, upload, bytes);
    const [again] = (await signParts(server, upload.uploadId, [2])).data.parts;
    const other = patternBytes('other part two', upload.partSize);
    const sent = await putSigned(again?.url as string, other, again?.headers);
    expect(sent.status).toBe(200);
    const wanted = Buffer.concat([partOf(upload, bytes, 1), other, partOf(upload, bytes, 3)]);
    const listed = parts.map((part) => (part.partNumber === 2 ? { partNumber: 2, etag: sent.etag } : part));
    await expectIntact(server, expectData(await completeUpload(server, upload.uploadId, listed)), wanted);
  });

  it('resumed by another client that knows no more than the id', async () => {
    const upload = await begin('parts/resumed');
    await sendParts(server, upload, bytes, [2]);
    const known = await status(upload.uploadId);
    const missing = [1, 2, 3].filter((number) => !known.parts?.some(({ partNumber }) => partNumber === number));
    expect(missing).toEqual([1, 3]);
    await sendParts(server, upload, bytes, missing);
    const { parts = [] } = await status(upload.uploadId);
    const file = expectData(
      await completeUpload(
        server,
        upload.uploadId,
        parts.map(({ partNumber, etag }) => ({ partNumber, etag })),
      ),
    );
    await expectIntact(server, file, bytes);
  });

  it('with a part missing is not complete, says which, and can be finished', async () => {
    const upload = await begin('parts/missing');
    const parts = await sendParts(server, upload, bytes, [1, 3]);
    const error = expectRefused(await completeUpload(server, upload.uploadId, parts), 400, 409, 422);
    expect(error.error).toBe('upload_incomplete');
    expect(JSON.stringify(error.details)).toContain('2');
    expectRefused(await completeUpload(server, upload.uploadId), 400, 409, 422);
    expect(await findByPath(server, 'parts/missing')).toBeUndefined();
    const rest = await sendParts(server, upload, bytes, [2]);
    await expectIntact(server, expectData(await completeUpload(server, upload.uploadId, [...parts, ...rest])), bytes);
  });

  it.each([
    [
      'a wrong ETag',
      (parts: { partNumber: number; etag: string }[]) =>
        parts.map((p) => (p.partNumber === 2 ? { ...p, etag: '"0123456789abcdef0123456789abcdef"' } : p)),
    ],
    [
      'ETags of other parts',
      (parts: { partNumber: number; etag: string }[]) =>
        parts.map((p, i) => ({ ...p, etag: parts[(i + 1) % 3]?.etag ?? '' })),
    ],
    ['one part twice', (parts: { partNumber: number; etag: string }[]) => [...parts, ...parts.slice(0, 1)]],
    [
      'a part that there is none of',
      (parts: { partNumber: number; etag: string }[]) => [...parts, { partNumber: 4, etag: '"x"' }],
    ],
  ])('completed with %s is refused, and can be completed rightly', async (_, alter) => {
    const path = `parts/${unique()}`;
    const upload = await begin(path);
    const parts = (await sendParts(server, upload, bytes)).sort((a, b) => a.partNumber - b.partNumber);
    expectRefused(await completeUpload(server, upload.uploadId, alter(parts)), 400, 409, 422);
    expect(await findByPath(server, path)).toBeUndefined();
    await expectIntact(server, expectData(await completeUpload(server, upload.uploadId, parts)), bytes);
  });

  it('ETags with and without quotes are the same', async () => {
    const upload = await begin('parts/quotes');
    const parts = await sendParts(server, upload, bytes);
    const bare = parts.map(({ partNumber, etag }) => ({ partNumber, etag: etag.replaceAll('"', '') }));
    expectData(await completeUpload(server, upload.uploadId, bare));
  });

  it.each([
    [[0]],
    [[4]],
    [[-1]],
    [[1.5]],
    [['1']],
    [[]],
    ['1'],
    [null],
    [Array.from({ length: 10_001 }, () => 1)],
    [[2 ** 53]],
  ])('signing the parts %j is refused', async (numbers) => {
    const upload = await begin(`parts/${unique()}`);
    expectRefused(await signParts(server, upload.uploadId, numbers), 400, 413, 422);
    await server.api('DELETE', `/uploads/${upload.uploadId}`);
  });
});

describe('what is declared', () => {
  it('a checksum that is right is taken, one that is wrong keeps nothing', async () => {
    const right = await directUpload(server, bytes, { path: 'sum/right', checksum: `sha256:${sha256(bytes)}` });
    expect(right.sha256).toBe(sha256(bytes));
    const upload = await begin('sum/wrong', { checksum: `sha256:${sha256(Buffer.from('other'))}` });
    const parts = await sendParts(server, upload, bytes);
    const error = expectRefused(await completeUpload(server, upload.uploadId, parts), 400, 409, 422);
    expect(error.error).toBe('checksum_mismatch');
    expect(await findByPath(server, 'sum/wrong')).toBeUndefined();
  });

  it.each([
    { size: -1 },
    { size: 1.5 },
    { size: '5' },
    { size: null },
    { size: 2 ** 53 },
    { size: 1e300 },
    { fileName: '' },
    { fileName: 7 },
    { fileName: undefined },
    { checksum: 'sha256:abc' },
    { checksum: 'crc32:00000000' },
    { visibility: 'everyone' },
    { metadata: [] },
    { metadata: 'text' },
    { metadata: { big: 'x'.repeat(16 * 1024) } },
    { path: '' },
  ])('init with %j is refused', async (wrong) => {
    const json = { fileName: 'x.bin', size: 5, ...wrong };
    expectRefused(await server.api('POST', '/uploads/init', { json }), 400, 413, 422);
  });

  it.each(['{', '[]', '"x"', 'null', ''])('init with the body %j is refused', async (body) => {
    expectRefused(
      await server.api('POST', '/uploads/init', { body, headers: { 'content-type': 'application/json' } }),
      400,
    );
  });
});

describe('the end', () => {
  it('complete twice gives the same file, and one version', async () => {
    const upload = await begin('end/twice');
    const parts = await sendParts(server, upload, bytes);
    const first = expectData(await completeUpload(server, upload.uploadId, parts));
    const second = expectData(await completeUpload(server, upload.uploadId, parts));
    expect(second).toEqual(first);
    expect(await versionsOf(server, first.id)).toHaveLength(1);
  });

  it('complete ten times at once happens exactly once', async () => {
    const upload = await begin('end/at-once');
    const parts = await sendParts(server, upload, bytes);
    const answers = await times(10, () => completeUpload(server, upload.uploadId, parts));
    for (const answer of answers) expect([200, 409, 423]).toContain(answer.status);
    const done = answers.filter(({ status: code }) => code === 200).map(({ data }) => data);
    expect(done.length).toBeGreaterThan(0);
    expect(new Set(done.map(({ id, version }) => `${id} ${version}`)).size).toBe(1);
    expect(await versionsOf(server, done[0]?.id as string)).toHaveLength(1);
    await expectIntact(server, expectData(await completeUpload(server, upload.uploadId, parts)), bytes);
  });

  it('abort ends it: no signing, sending or completing after that', async () => {
    const upload = await begin('end/aborted');
    const { parts } = (await signParts(server, upload.uploadId, [1, 2])).data;
    const sent = await putSigned(parts[0]?.url as string, partOf(upload, bytes, 1), parts[0]?.headers);
    expect(sent.status).toBe(200);
    expect([200, 204]).toContain((await server.api('DELETE', `/uploads/${upload.uploadId}`)).status);
    expectRefused(await signParts(server, upload.uploadId, [1]), 404, 409, 410);
    expectRefused(await completeUpload(server, upload.uploadId), 404, 409, 410);
    const late = await putSigned(parts[1]?.url as string, partOf(upload, bytes, 2), parts[1]?.headers);
    expect([403, 404, 409, 410]).toContain(late.status);
    expect(await unfinished()).not.toContain(upload.uploadId);
    expect([200, 204, 404, 409, 410], 'a second abort is no fault of the server').toContain(
      (await server.api('DELETE', `/uploads/${upload.uploadId}`)).status,
    );
  });

  it('abort after completion leaves the file', async () => {
    const file = await directUpload(server, Buffer.from('stays'), { path: 'end/stays' });
    const init = (await initUpload(server, { fileName: 'x', size: 5, path: 'end/stays-too' })).data;
    await putSigned(init.url as string, Buffer.from('stays'), init.headers);
    const other = expectData(await completeUpload(server, init.uploadId));
    const answer = await server.api('DELETE', `/uploads/${init.uploadId}`);
    expect([204, 404, 409, 410]).toContain(answer.status);
    await expectIntact(server, other, Buffer.from('stays'));
    await expectIntact(server, file, Buffer.from('stays'));
  });

  it('unfinished ones are listed until they end', async () => {
    const upload = await begin('end/listed');
    const single = (await initUpload(server, { fileName: 'x', size: 1, path: 'end/listed-single' })).data;
    expect(await unfinished()).toEqual(expect.arrayContaining([upload.uploadId, single.uploadId]));
    await putSigned(single.url as string, Buffer.from('x'), single.headers);
    await completeUpload(server, single.uploadId);
    expect(await unfinished()).not.toContain(single.uploadId);
    await server.api('DELETE', `/uploads/${upload.uploadId}`);
    expect(await unfinished()).not.toContain(upload.uploadId);
  });

  it('an upload that there is none of is 404 everywhere', async () => {
    for (const id of ['upl_0000000000000000000000000', 'nonsense', '%00', "'; select 1;--"]) {
      const at = `/uploads/${encodeURIComponent(id)}`;
      expectRefused(await server.api('GET', at), 404, 400);
      expectRefused(await server.api('DELETE', at), 404, 400);
      expectRefused(await server.api('POST', `${at}/parts`, { json: { partNumbers: [1] } }), 404, 400);
      expectRefused(await server.api('POST', `${at}/complete`, { json: {} }), 404, 400);
    }
  });

  it('nobody without a key may begin, sign, see or end one', async () => {
    const upload = await begin('end/private');
    const at = `/uploads/${upload.uploadId}`;
    expectRefused(await server.api('POST', '/uploads/init', { key: null, json: { fileName: 'x', size: 1 } }), 401);
    expectRefused(await server.api('POST', `${at}/parts`, { key: null, json: { partNumbers: [1] } }), 401);
    expectRefused(await server.api('POST', `${at}/complete`, { key: null, json: {} }), 401);
    expectRefused(await server.api('GET', at, { key: null }), 401);
    expectRefused(await server.api('DELETE', at, { key: null }), 401);
  });
});
