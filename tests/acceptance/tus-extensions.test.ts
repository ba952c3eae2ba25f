import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { now } from '../support/clock.ts';
import { expectIntact, expectSame, findByPath, listAll, serve } from '../support/files.ts';
import { unique } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import {
  OFFSET_STREAM,
  TUS,
  type TusAnswer,
  tus,
  tusCreate,
  tusMetadata,
  tusOffset,
  tusPatch,
} from '../support/tus.ts';
import type { FileInfo } from '../support/wire.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const HELLO = Buffer.from('hello world');
const create = (headers: Record<string, string>, body?: Uint8Array): Promise<TusAnswer> =>
  tus(server, 'POST', TUS, { headers, body });
const fileOf = async (answer: TusAnswer): Promise<FileInfo> => {
  const id = answer.headers.get('carcosa-file-id');
  expect(id, `no Carcosa-File-Id in the answer ${answer.status}: ${answer.text}`).toBeTruthy();
  return (await server.api<FileInfo>('GET', `/files/${id}`)).data;
};

describe('creation', () => {
  it('of no bytes is complete at once', async () => {
    const answer = await create({
      'upload-length': '0',
      'upload-metadata': tusMetadata({ filename: 'empty', path: 'creation/empty' }),
    });
    expect(answer.status).toBe(201);
    await expectIntact(server, await fileOf(answer), Buffer.alloc(0));
  });

  it.each(['-1', '1.5', 'ten', '', '0x10', '1e3', '9007199254740992', '99999999999999999999', ' '])(
    'with Upload-Length %j is refused',
    async (length) => {
      expect([400, 413]).toContain((await create({ 'upload-length': length })).status);
    },
  );

  it('with neither a length nor a deferred one is 400', async () => expect((await create({})).status).toBe(400));
  it('with both is 400', async () => {
    expect((await create({ 'upload-length': '5', 'upload-defer-length': '1' })).status).toBe(400);
  });
  it.each(['0', '2', 'true', ''])('with Upload-Defer-Length %j is 400', async (value) => {
    expect((await create({ 'upload-defer-length': value })).status).toBe(400);
  });
  it.each([
    'filename ***',
    'filename aGVsbG8=,filename aGVsbG8=',
    'filename aGVsbG8=,,visibility',
    'na me aGVsbG8=',
    'filename aGVsbG8= extra',
    'visibility ZXZlcnlvbmU=',
  ])('with the metadata %j is 400', async (metadata) => {
    expect((await create({ 'upload-length': '5', 'upload-metadata': metadata })).status).toBe(400);
  });

  it('many at once get addresses of their own', async () => {
    const all = await Promise.all(Array.from({ length: 30 }, () => tusCreate(server, 1)));
    expect(new Set(all).size).toBe(30);
  });
});

describe('creation-with-upload', () => {
  const metadata = (path: string): string => tusMetadata({ filename: 'x', path });

  it('takes the whole content', async () => {
    const headers = { 'upload-length': '11', 'content-type': OFFSET_STREAM, 'upload-metadata': metadata('with/whole') };
    const answer = await create(headers, HELLO);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('upload-offset')).toBe('11');
    const file = await fileOf(answer);
    expect(answer.headers.get('carcosa-file-key')).toBe(file.key);
    await expectIntact(server, file, HELLO);
  });

  it('takes a beginning', async () => {
    const answer = await create({ 'upload-length': '11', 'content-type': OFFSET_STREAM }, HELLO.subarray(0, 4));
    expect(answer.status).toBe(201);
    expect(answer.headers.get('upload-offset')).toBe('4');
    const rest = await tusPatch(server, answer.headers.get('location') as string, 4, HELLO.subarray(4));
    await expectIntact(server, await fileOf(rest), HELLO);
  });

  it('refuses more than was declared, and keeps nothing of a file', async () => {
    const headers = { 'upload-length': '4', 'content-type': OFFSET_STREAM, 'upload-metadata': metadata('with/more') };
    expect([400, 413]).toContain((await create(headers, HELLO)).status);
    expect(await findByPath(server, 'with/more')).toBeUndefined();
  });
});

describe('creation-defer-length', () => {
  it('takes bytes before the length is known, and ends when it is', async () => {
    const address = await tusCreate(server, null, { filename: 'deferred' });
    const head = await tus(server, 'HEAD', address);
    expect(head.headers.get('upload-defer-length')).toBe('1');
    expect(head.headers.get('upload-length')).toBeNull();
    expect((await tusPatch(server, address, 0, HELLO.subarray(0, 6))).status).toBe(204);
    const last = await tusPatch(server, address, 6, HELLO.subarray(6), { 'upload-length': '11' });
    expect(last.status).toBe(204);
    await expectIntact(server, await fileOf(last), HELLO);
    const after = await tus(server, 'HEAD', address);
    expect(after.headers.get('upload-length')).toBe('11');
    expect(after.headers.get('upload-defer-length')).toBeNull();
  });

  it('ends by an empty PATCH that tells the length', async () => {
    const address = await tusCreate(server, null, { filename: 'deferred' });
    await tusPatch(server, address, 0, HELLO);
    const last = await tusPatch(server, address, 11, Buffer.alloc(0), { 'upload-length': '11' });
    expect(last.status).toBe(204);
    await expectIntact(server, await fileOf(last), HELLO);
  });

  it('a length once told stays, and one below the offset is refused', async () => {
    const address = await tusCreate(server, null);
    await tusPatch(server, address, 0, HELLO.subarray(0, 6));
    expect([400, 409, 413]).toContain(
      (await tusPatch(server, address, 6, Buffer.alloc(0), { 'upload-length': '5' })).status,
    );
    expect((await tusPatch(server, address, 6, HELLO.subarray(6, 8), { 'upload-length': '11' })).status).toBe(204);
    expect([400, 409, 413]).toContain(
      (await tusPatch(server, address, 8, HELLO.subarray(8), { 'upload-length': '12' })).status,
    );
    expect((await tus(server, 'HEAD', address)).headers.get('upload-length')).toBe('11');
  });
});

describe('termination', () => {
  it('is 204, and the upload is gone', async () => {
    const address = await tusCreate(server, 11);
    await tusPatch(server, address, 0, HELLO.subarray(0, 5));
    expect((await tus(server, 'DELETE', address)).status).toBe(204);
    expect([404, 410]).toContain((await tus(server, 'HEAD', address)).status);
    expect([404, 410]).toContain((await tusPatch(server, address, 5, HELLO.subarray(5))).status);
    expect([204, 404, 410]).toContain((await tus(server, 'DELETE', address)).status);
  });

  it('after the end does not take an acknowledged file away', async () => {
    const address = await tusCreate(server, 5, { filename: 'kept' });
    const file = await fileOf(await tusPatch(server, address, 0, HELLO.subarray(0, 5)));
    expect([204, 400, 403, 404, 409, 410]).toContain((await tus(server, 'DELETE', address)).status);
    await expectIntact(server, file, HELLO.subarray(0, 5));
  });
});

describe('checksum', () => {
  const sum = (algorithm: string, bytes: Uint8Array): string =>
    `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`;

  it.each(['sha1', 'sha256', 'md5'])('%s that is right is taken', async (algorithm) => {
    const offered = (await tus(server, 'OPTIONS', TUS)).headers.get('tus-checksum-algorithm')?.split(',') ?? [];
    if (!offered.includes(algorithm)) return expect(algorithm, 'only md5 may be missing').toBe('md5');
    const address = await tusCreate(server, 11, { filename: algorithm });
    const first = HELLO.subarray(0, 5);
    expect((await tusPatch(server, address, 0, first, { 'upload-checksum': sum(algorithm, first) })).status).toBe(204);
    const last = await tusPatch(server, address, 5, HELLO.subarray(5), {
      'upload-checksum': sum(algorithm, HELLO.subarray(5)),
    });
    await expectIntact(server, await fileOf(last), HELLO);
  });

  it.each(['sha1', 'sha256'])('%s that is wrong is 460, and the bytes are discarded', async (algorithm) => {
    const address = await tusCreate(server, 11, { filename: 'mismatch' });
    await tusPatch(server, address, 0, HELLO.subarray(0, 5));
    const wrong = await tusPatch(server, address, 5, HELLO.subarray(5), { 'upload-checksum': sum(algorithm, HELLO) });
    expect(wrong.status).toBe(460);
    expect(await tusOffset(server, address)).toBe(5);
    await expectIntact(server, await fileOf(await tusPatch(server, address, 5, HELLO.subarray(5))), HELLO);
  });

  it.each(['crc32 AAAAAA==', 'sha1', 'sha1 ***', 'sha1 AAAA', '', 'sha1  AAAA AAAA'])(
    '%j is 400, and no byte is taken',
    async (value) => {
      const address = await tusCreate(server, 11);
      const { status } = await tusPatch(server, address, 0, HELLO, { 'upload-checksum': value });
      // What is base64, but of another length, can be read as a checksum that does not match.
      expect(value === 'sha1 AAAA' ? [400, 460] : [400]).toContain(status);
      expect(await tusOffset(server, address)).toBe(0);
    },
  );

  it('counts at creation too', async () => {
    const headers = {
      'upload-length': '11',
      'content-type': OFFSET_STREAM,
      'upload-metadata': tusMetadata({ filename: 'c', path: 'sum/created' }),
    };
    const wrong = await create({ ...headers, 'upload-checksum': sum('sha1', Buffer.from('other')) }, HELLO);
    expect(wrong.status).toBe(460);
    expect(await findByPath(server, 'sum/created')).toBeUndefined();
  });
});

describe('expiration', () => {
  it('is told with the creation and with each PATCH, as an HTTP date in the future', async () => {
    const created = await create({ 'upload-length': '11' });
    const patched = await tusPatch(server, created.headers.get('location') as string, 0, HELLO.subarray(0, 2));
    for (const answer of [created, patched]) {
      const told = answer.headers.get('upload-expires') ?? '';
      expect(told).toMatch(/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
      expect(Date.parse(told)).toBeGreaterThan(now());
    }
  });
});

describe('concatenation', () => {
  const partial = async (bytes: Uint8Array): Promise<string> => {
    const address = await tusCreate(server, bytes.length, {}, { 'upload-concat': 'partial' });
    if (bytes.length > 0) expect((await tusPatch(server, address, 0, bytes)).status).toBe(204);
    return address;
  };
  const final = (addresses: string[], path: string): Promise<TusAnswer> =>
    create({
      'upload-concat': `final;${addresses.join(' ')}`,
      'upload-metadata': tusMetadata({ filename: 'whole', path }),
    });

  it('joins partial uploads in the order given', async () => {
    const before = (await listAll(server)).length;
    const [world, hello] = await Promise.all([partial(HELLO.subarray(5)), partial(HELLO.subarray(0, 5))]);
    expect((await tus(server, 'HEAD', hello)).headers.get('upload-concat')).toBe('partial');
    expect((await listAll(server)).length, 'a partial upload is no file').toBe(before);
    const answer = await final([hello, world], 'concat/whole');
    expect(answer.status).toBe(201);
    const file = await fileOf(answer);
    expect(file).toMatchObject({ path: 'concat/whole', size: 11 });
    await expectIntact(server, file, HELLO);
    const head = await tus(server, 'HEAD', answer.headers.get('location') as string);
    expect(head.headers.get('upload-concat')).toMatch(/^final;/);
    expect(head.headers.get('upload-length')).toBe('11');
  });

  it('takes addresses without the host, and one partial upload twice', async () => {
    const address = new URL(await partial(Buffer.from('ab'))).pathname;
    const answer = await final([address, address], 'concat/twice');
    expect(answer.status).toBe(201);
    expectSame((await serve(server, (await fileOf(answer)).url)).bytes, Buffer.from('abab'));
  });

  it('refuses bytes for the final upload: 403', async () => {
    const answer = await final([await partial(Buffer.from('a'))], 'concat/patched');
    const patched = await tusPatch(server, answer.headers.get('location') as string, 1, Buffer.from('b'));
    expect(patched.status).toBe(403);
  });

  it('refuses partial uploads that are unfinished, unknown, ordinary, or elsewhere', async () => {
    const unfinished = await tusCreate(server, 5, {}, { 'upload-concat': 'partial' });
    const ordinary = await tusCreate(server, 5);
    const whole = await partial(Buffer.from('x'));
    for (const address of [
      unfinished,
      ordinary,
      `${TUS}/upl_00000000000000000000000000`,
      'http://169.254.169.254/x',
      '../../etc/passwd',
      '',
    ]) {
      const path = `concat/${unique()}`;
      const answer = await final([whole, address], path);
      // An empty address may be read as "no more": then the final upload is what the first one was.
      if (address === '' && answer.status === 201) continue;
      expect([400, 403, 404, 409, 422], address).toContain(answer.status);
      expect(await findByPath(server, path)).toBeUndefined();
    }
  });

  it.each(['final;', 'final', 'partial;x', 'other', ''])('Upload-Concat %j is 400', async (value) => {
    const length: Record<string, string> = value.startsWith('final') ? {} : { 'upload-length': '5' };
    expect((await create({ ...length, 'upload-concat': value })).status).toBe(400);
  });
});
