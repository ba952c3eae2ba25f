import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectIntact, findByPath, serve } from '../support/files.ts';
import { sha256 } from '../support/random.ts';
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
/** What a request by `method` needs so that nothing but the point of a test is wrong with it. */
const proper = (method: string): { headers: Record<string, string>; body: Uint8Array | undefined } => {
  if (method === 'PATCH')
    return { headers: { 'upload-offset': '0', 'content-type': OFFSET_STREAM }, body: HELLO.subarray(0, 5) };
  return { headers: method === 'POST' ? { 'upload-length': '5' } : {}, body: undefined };
};
const fileOf = async (answer: TusAnswer): Promise<FileInfo> => {
  const id = answer.headers.get('carcosa-file-id');
  expect(id, `no Carcosa-File-Id in the answer ${answer.status}: ${answer.text}`).toBeTruthy();
  return (await server.api<FileInfo>('GET', `/files/${id}`)).data;
};

describe('OPTIONS', () => {
  it('tells version, extensions and algorithms, without Tus-Resumable in the request', async () => {
    const answer = await tus(server, 'OPTIONS', TUS, { version: null });
    expect([200, 204]).toContain(answer.status);
    expect(answer.headers.get('tus-resumable')).toBe('1.0.0');
    expect(answer.headers.get('tus-version')?.split(',')).toContain('1.0.0');
    expect(answer.headers.get('tus-extension')?.split(',').sort()).toEqual(
      expect.arrayContaining([
        'checksum',
        'concatenation',
        'creation',
        'creation-defer-length',
        'creation-with-upload',
        'expiration',
        'termination',
      ]),
    );
    const algorithms = answer.headers.get('tus-checksum-algorithm')?.split(',') ?? [];
    expect(algorithms, 'servers MUST support at least SHA1').toContain('sha1');
    expect(algorithms).toContain('sha256');
  });
});

describe('the core protocol', () => {
  it('creates, tells the offset, takes the bytes in pieces, and names the file after the last', async () => {
    const address = await tusCreate(server, HELLO.length, {
      filename: 'hello.txt',
      filetype: 'text/plain',
      path: 'core/hello.txt',
    });
    const head = await tus(server, 'HEAD', address);
    expect(head.status).toBe(200);
    expect(head.headers.get('upload-offset')).toBe('0');
    expect(head.headers.get('upload-length')).toBe('11');
    expect(head.headers.get('cache-control')).toContain('no-store');
    expect(head.headers.get('tus-resumable')).toBe('1.0.0');

    const first = await tusPatch(server, address, 0, HELLO.subarray(0, 5));
    expect(first.status).toBe(204);
    expect(first.headers.get('upload-offset')).toBe('5');
    expect(first.headers.get('carcosa-file-id'), 'not before the end').toBeNull();
    expect(await findByPath(server, 'core/hello.txt')).toBeUndefined();
    expect(await tusOffset(server, address)).toBe(5);

    const last = await tusPatch(server, address, 5, HELLO.subarray(5));
    expect(last.status).toBe(204);
    expect(last.headers.get('upload-offset')).toBe('11');
    const file = await fileOf(last);
    expect(last.headers.get('carcosa-file-key')).toBe(file.key);
    expect(file).toMatchObject({
      path: 'core/hello.txt',
      declaredContentType: 'text/plain',
      sha256: sha256(HELLO),
      version: 1,
    });
    await expectIntact(server, file, HELLO);
    expect((await serve(server, `/f/${file.key}`)).bytes.toString()).toBe('hello world');
  });

  it('tells the offset, and the file, after the end as well', async () => {
    const address = await tusCreate(server, 5, { filename: 'after.txt' });
    const patched = await tusPatch(server, address, 0, HELLO.subarray(0, 5));
    const head = await tus(server, 'HEAD', address);
    expect(head.status).toBe(200);
    expect(head.headers.get('upload-offset')).toBe('5');
    expect(head.headers.get('carcosa-file-id'), 'a client that lost the last answer can learn it').toBe(
      patched.headers.get('carcosa-file-id'),
    );
  });

  it('an empty PATCH at the end of a finished upload changes nothing', async () => {
    const address = await tusCreate(server, 5, { filename: 'noop.txt', path: 'core/noop.txt' });
    const file = await fileOf(await tusPatch(server, address, 0, HELLO.subarray(0, 5)));
    const again = await tusPatch(server, address, 5, Buffer.alloc(0));
    expect([204, 400, 403, 409, 410, 413]).toContain(again.status);
    expect((await server.api<FileInfo>('GET', `/files/${file.id}`)).data.version).toBe(1);
  });

  it('a PATCH of the last bytes sent twice is the first once, and 409 then', async () => {
    const address = await tusCreate(server, 5, { filename: 'twice.txt', path: 'core/twice.txt' });
    expect((await tusPatch(server, address, 0, HELLO.subarray(0, 5))).status).toBe(204);
    expect((await tusPatch(server, address, 0, HELLO.subarray(0, 5))).status).toBe(409);
    expect((await findByPath(server, 'core/twice.txt'))?.version).toBe(1);
  });

  it('metadata comes back as it was sent; visibility is honoured', async () => {
    const metadata = {
      filename: 'été 写真.txt',
      filetype: 'text/plain',
      path: 'core/été 写真.txt',
      visibility: 'private',
      custom: 'läuft',
      empty: '',
    };
    const address = await tusCreate(server, 1, metadata);
    const sent = (await tus(server, 'HEAD', address)).headers.get('upload-metadata') ?? '';
    expect(sent.split(',').sort()).toEqual(tusMetadata(metadata).split(',').sort());
    const file = await fileOf(await tusPatch(server, address, 0, Buffer.from('x')));
    expect(file).toMatchObject({ path: 'core/été 写真.txt', name: 'été 写真.txt', visibility: 'private' });
  });

  it('without a name the file gets one', async () => {
    const file = await fileOf(await tusPatch(server, await tusCreate(server, 1), 0, Buffer.from('x')));
    expect(file.name.length).toBeGreaterThan(0);
  });

  it.each([
    ['no Tus-Resumable', null],
    ['another version', '0.2.2'],
    ['nonsense', 'yes'],
  ])('%s is 412 with the versions that are spoken', async (_, version) => {
    const address = await tusCreate(server, 5);
    for (const [method, at] of [
      ['POST', TUS],
      ['HEAD', address],
      ['PATCH', address],
      ['DELETE', address],
    ] as const) {
      const answer = await tus(server, method, at, { version, ...proper(method) });
      expect(answer.status, method).toBe(412);
      expect(answer.headers.get('tus-version')?.split(','), method).toContain('1.0.0');
    }
    expect(await tusOffset(server, address), 'and nothing was processed').toBe(0);
  });

  it('another content type is 415, and no byte is taken', async () => {
    const address = await tusCreate(server, 5);
    for (const type of ['application/octet-stream', 'text/plain', '']) {
      const headers = { 'upload-offset': '0', 'content-type': type };
      expect((await tus(server, 'PATCH', address, { headers, body: HELLO.subarray(0, 5) })).status, type).toBe(415);
    }
    expect(await tusOffset(server, address)).toBe(0);
  });

  it('an offset that is not where the upload stands is 409, and no byte is taken', async () => {
    const address = await tusCreate(server, 11);
    await tusPatch(server, address, 0, HELLO.subarray(0, 5));
    for (const offset of [0, 4, 6, 11, 12, 2 ** 52])
      expect((await tusPatch(server, address, offset, HELLO.subarray(5))).status).toBe(409);
    expect(await tusOffset(server, address)).toBe(5);
  });

  it.each(['-1', 'five', '1.5', '0x0', '', '1e1', ' '])('the offset %j is 400', async (offset) => {
    const address = await tusCreate(server, 5);
    const headers = { 'upload-offset': offset, 'content-type': OFFSET_STREAM };
    expect((await tus(server, 'PATCH', address, { headers, body: HELLO.subarray(0, 5) })).status).toBe(400);
  });

  it('no offset is 400', async () => {
    const address = await tusCreate(server, 5);
    const answer = await tus(server, 'PATCH', address, {
      headers: { 'content-type': OFFSET_STREAM },
      body: HELLO.subarray(0, 5),
    });
    expect(answer.status).toBe(400);
  });

  it('an upload that there is none of is 404 (or 403, 410) without an offset', async () => {
    for (const id of ['upl_00000000000000000000000000', 'nonsense', '..%2f..%2fetc', '%00', 'a'.repeat(2000)]) {
      for (const method of ['HEAD', 'PATCH', 'DELETE']) {
        const answer = await tus(server, method, `${TUS}/${id}`, proper(method));
        expect([400, 403, 404, 410, 414], `${method} ${id.slice(0, 40)}`).toContain(answer.status);
        expect(answer.headers.get('upload-offset')).toBeNull();
      }
    }
  });

  it('nobody without a key may do anything', async () => {
    const address = await tusCreate(server, 5);
    for (const [method, at] of [
      ['POST', TUS],
      ['HEAD', address],
      ['PATCH', address],
      ['DELETE', address],
    ] as const) {
      const answer = await tus(server, method, at, { key: null, ...proper(method) });
      expect(answer.status, method).toBe(401);
    }
    expect(await tusOffset(server, address)).toBe(0);
  });

  it('X-HTTP-Method-Override stands in for methods that a client can not send', async () => {
    const address = await tusCreate(server, 5, { filename: 'override.txt' });
    const headers = { 'upload-offset': '0', 'content-type': OFFSET_STREAM, 'x-http-method-override': 'PATCH' };
    const answer = await tus(server, 'POST', address, { headers, body: HELLO.subarray(0, 5) });
    expect(answer.status).toBe(204);
    await expectIntact(server, await fileOf(answer), HELLO.subarray(0, 5));
  });
});
