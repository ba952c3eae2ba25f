import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../../support/api.ts';
import { register } from '../../support/people.ts';
import { type Server, startServer } from '../../support/server.ts';
import { ask, hmac, newKey, putFile, rangeStart, signDownload, signUpload } from '../../support/uploadthing.ts';
import type { FileInfo } from '../../support/wire.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const md5 = (content: Uint8Array | string): string => createHash('md5').update(content).digest('hex');
const read = async (address: string): Promise<string> => (await fetch(address)).text();
const fileOf = async (key: string): Promise<FileInfo & { md5: string | null }> => {
  const { items } = expectData(await server.api<{ items: FileInfo[] }>('GET', '/files', { query: { limit: 500 } }));
  return items.find((file) => file.key === key) as FileInfo & { md5: string | null };
};

describe('an upload by an address that the app signed', () => {
  it('becomes a file at the key that the app chose', async () => {
    const { key, url } = signUpload(server, { size: 5, name: 'hello.txt', type: 'text/plain' });
    expect(await rangeStart(url)).toEqual({ status: 200, start: '0' });
    const { status, body } = await putFile(url, 'hello', { type: 'text/plain' });
    expect(status).toBe(200);
    expect(body).toEqual({
      url: `${server.url}/f/${key}`,
      appUrl: `${server.url}/a/${server.projectId}/${key}`,
      ufsUrl: `${server.url}/f/${key}`,
      fileHash: md5('hello'),
      serverData: null,
    });
    expect([await read(body.url), await read(body.appUrl)]).toEqual(['hello', 'hello']);
    expect(await fileOf(key)).toMatchObject({ key, name: 'hello.txt', size: 5, md5: md5('hello') });
  });

  it.each([1, 2] as const)('says what it is with values that are encoded %i times', async (encoded) => {
    const name = 'Jahr 100% – “ä & ö”?.txt';
    const { key, url } = signUpload(server, { size: 2, name, type: 'text/plain', encoded });
    expect((await putFile(url, 'ab')).status).toBe(200);
    expect((await fileOf(key)).name).toBe(name);
  });

  it('goes on where it broke off, and has the hash of the whole', async () => {
    const content = randomBytes(3_000_000);
    const { key, url } = signUpload(server, { size: content.length, name: 'film.bin' });
    await cutOff(url, content, 1_500_000);
    let start = 0;
    await expect
      .poll(async () => {
        start = Number((await rangeStart(url)).start);
        return start;
      })
      .toBeGreaterThan(0);
    expect(start).toBeLessThan(content.length);
    const { status, body } = await putFile(url, content.subarray(start), { start });
    expect(status).toBe(200);
    expect(body.fileHash).toBe(md5(content));
    expect(md5(new Uint8Array(await (await fetch(body.url)).arrayBuffer()))).toBe(md5(content));
    expect((await fileOf(key)).size).toBe(content.length);
  });

  it('answers again when its answer was lost, and takes nothing else', async () => {
    const { url } = signUpload(server, { size: 3 });
    const first = await putFile(url, 'abc');
    expect(await rangeStart(url)).toEqual({ status: 200, start: '3' });
    expect(await putFile(url, '', { start: 3 })).toEqual(first);
    const replayed = await putFile(url, 'xyz');
    expect([replayed.status, replayed.body.error]).toEqual([410, 'upload_not_open']);
    expect(await read(first.body.url)).toBe('abc');
  });

  it('replaces the bytes of before under the same key, in another length too', async () => {
    const key = newKey();
    const first = await putFile(signUpload(server, { key, size: 3, name: 'a.txt' }).url, 'one');
    const second = await putFile(signUpload(server, { key, size: 6, name: 'other.txt' }).url, 'second');
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.body.url).toBe(first.body.url);
    expect(await read(second.body.url)).toBe('second');
    expect(await fileOf(key)).toMatchObject({ version: 2, size: 6 });
  });

  it('takes the key of a file in the trash up again', async () => {
    const { key, url } = signUpload(server, { size: 3, name: 'trashed.txt' });
    await putFile(url, 'old');
    const { id } = await fileOf(key);
    expectData(await server.api('DELETE', `/files/${id}`));
    const { status, body } = await putFile(signUpload(server, { key, size: 3, name: 'trashed.txt' }).url, 'new');
    expect(status).toBe(200);
    expect(await read(body.url)).toBe('new');
  });

  it('is begun anew by another signature, so that two contents never mix', async () => {
    const key = newKey();
    const content = randomBytes(2_000_000);
    const first = signUpload(server, { key, size: content.length, name: 'x.bin' });
    await cutOff(first.url, content, 1_000_000);
    await expect.poll(async () => Number((await rangeStart(first.url)).start)).toBeGreaterThan(0);
    const second = signUpload(server, { key, size: content.length, name: 'x.bin', expiresIn: 1800 });
    expect(await rangeStart(second.url)).toEqual({ status: 200, start: '0' });
    const other = randomBytes(2_000_000);
    expect((await putFile(second.url, other)).body.fileHash).toBe(md5(other));
  });

  it('takes the bytes as the body too, for clients without forms', async () => {
    const { url } = signUpload(server, { size: 4, name: 'raw.txt' });
    const response = await fetch(url, { method: 'PUT', body: 'four' });
    expect(response.status).toBe(200);
  });

  it('keeps a name that no path can have', async () => {
    const { key, url } = signUpload(server, { size: 1, name: '../../etc/pass\u202ewd\u0000.txt' });
    expect((await putFile(url, 'x')).status).toBe(200);
    expect((await fileOf(key)).path).toBe(`${key}/passwd.txt`);
  });
});

describe('refuses', () => {
  const refusal = async (url: string, content: string | Uint8Array = 'hello', options = {}) => {
    const { status, body } = await putFile(url, content, options);
    expect(body.message).toMatch(/\w{3}/);
    return [status, body.error];
  };

  it('an address that was altered in any part', async () => {
    const { url } = signUpload(server, { size: 5, name: 'a.txt', type: 'text/plain', acl: 'private' });
    for (const [name, value] of [
      ['x-ut-file-size', '6'],
      ['x-ut-file-type', 'text/html'],
      ['x-ut-file-name', 'b.txt'],
      ['x-ut-acl', 'public-read'],
      ['expires', String(Date.now() + 1e9)],
    ] as const) {
      const altered = new URL(url);
      altered.searchParams.set(name, value);
      expect(await refusal(altered.href), name).toEqual([403, 'signature_invalid']);
      expect((await rangeStart(altered.href)).status, name).toBe(403);
    }
    expect(await refusal(url.replace(/ingest\/.{4}/, 'ingest/abcd'))).toEqual([403, 'signature_invalid']);
    expect(await refusal(`${url}&x-ut-file-size=9`)).toEqual([403, 'signature_invalid']);
    expect(await refusal(url.replace(/[0-9a-f]$/, (digit) => (digit === '0' ? '1' : '0')))).toEqual([
      403,
      'signature_invalid',
    ]);
    expect(await refusal(url.replace('&signature=', '&unsigned='))).toEqual([403, 'signature_invalid']);
  });

  it('one that has expired, or was signed with another key', async () => {
    expect(await refusal(signUpload(server, { size: 5, expiresIn: -1 }).url)).toEqual([403, 'signature_invalid']);
    expect(await refusal(signUpload(server, { size: 5, apiKey: `sk_x_${'y'.repeat(40)}` }).url)).toEqual([
      403,
      'signature_invalid',
    ]);
    expect(await refusal(signUpload(server, { size: 5, appId: `prj_${'0'.repeat(26)}` }).url)).toEqual([
      403,
      'signature_invalid',
    ]);
  });

  it('a key that may not sign, and one that was revoked', async () => {
    const json = { name: 'plain', permissions: ['files:write'] };
    const plain = expectData(await server.api<{ key: string }>('POST', '/api-keys', { json }), 201);
    expect(await refusal(signUpload(server, { size: 5, apiKey: plain.key }).url)).toEqual([403, 'signature_invalid']);

    const made = await server.api<{ id: string; key: string; uploadthingToken: string }>('POST', '/api-keys', {
      json: { ...json, signs: true },
    });
    const { id, key, uploadthingToken } = expectData(made, 201);
    expect(JSON.parse(Buffer.from(uploadthingToken, 'base64').toString())).toMatchObject({
      apiKey: key,
      appId: server.projectId,
    });
    expect((await putFile(signUpload(server, { size: 5, apiKey: key }).url, 'hello')).status).toBe(200);
    expectData(await server.api('DELETE', `/api-keys/${id}`));
    expect(await refusal(signUpload(server, { size: 5, apiKey: key }).url)).toEqual([403, 'signature_invalid']);
  });

  it('a key that reads alone', async () => {
    const json = { name: 'reader', permissions: ['files:read'], signs: true };
    const { key } = expectData(await server.api<{ key: string }>('POST', '/api-keys', { json }), 201);
    expect(await refusal(signUpload(server, { size: 5, apiKey: key }).url)).toEqual([403, 'forbidden']);
  });

  it('other lengths than was signed, and keeps what was right of them', async () => {
    expect(await refusal(signUpload(server, { size: 4 }).url)).toEqual([413, 'payload_too_large']);
    const { url } = signUpload(server, { size: 9 });
    expect(await refusal(url)).toEqual([400, 'length_mismatch']);
    expect((await rangeStart(url)).start).toBe('5');
    expect((await putFile(url, 'abcd', { start: 5 })).status).toBe(200);
  });

  it('nothing at all', async () => {
    expect(await refusal(signUpload(server, { size: 0 }).url, '')).toEqual([400, 'invalid_request']);
    expect(await refusal(signUpload(server, { size: 5 }).url, '')).toEqual([400, 'length_mismatch']);
  });

  it('a range that lies', async () => {
    const { url } = signUpload(server, { size: 5 });
    expect(await refusal(url, 'lo', { start: 3 })).toEqual([409, 'upload_offset_mismatch']);
    for (const range of ['bytes=-5', 'bytes=0-3', 'bytes=1e3-', 'items=0-', 'bytes=99999999999999999-']) {
      const response = await fetch(url, { method: 'PUT', headers: { range }, body: 'hello' });
      expect(response.status, range).toBe(400);
    }
    expect((await rangeStart(url)).start).toBe('0');
  });

  it('bytes of another type than was signed', async () => {
    const { key, url } = signUpload(server, { size: 5, name: 'a.png', type: 'image/png' });
    expect(await refusal(url, 'hello', { type: 'text/html' })).toEqual([415, 'file_type_not_allowed']);
    const page = '<html><script>alert(1)</script></html>';
    const liar = signUpload(server, { size: page.length, name: 'a.png', type: 'image/png' });
    expect(await refusal(liar.url, page, { type: 'image/png' })).toEqual([415, 'file_type_not_allowed']);
    expect((await fetch(`${server.url}/f/${key}`)).status).toBe(404);
    expect((await fetch(`${server.url}/f/${liar.key}`)).status).toBe(404);
  });

  it('the key of a file of another project', async () => {
    const { key, url } = signUpload(server, { size: 5 });
    await putFile(url, 'first');
    const other = await otherProject();
    const stolen = signUpload(server, { key, size: 5, ...other });
    expect(await refusal(stolen.url, 'stole')).toEqual([409, 'conflict']);
    expect(await read(`${server.url}/f/${key}`)).toBe('first');
  });

  it('an id of the app that another file has', async () => {
    const customId = `own-${newKey()}`;
    expect((await putFile(signUpload(server, { size: 1, customId }).url, 'a')).status).toBe(200);
    expect(await refusal(signUpload(server, { size: 1, customId }).url, 'b')).toEqual([409, 'conflict']);
  });

  it('keys that are short or are paths', async () => {
    for (const key of ['short', '..', '-'.repeat(40), 'a'.repeat(129)]) {
      expect((await putFile(signUpload(server, { key, size: 1 }).url, 'a')).status, key).toBeGreaterThanOrEqual(400);
    }
  });

  it('what a file router has signed and the bytes are not', async () => {
    const png = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
      'base64',
    );
    const signed = (route: object) => signUpload(server, { size: png.length, name: 'a.png', type: 'image/png', route });
    expect(await refusal(signed({ minWidth: 2 }).url, png)).toEqual([422, 'file_measures_not_allowed']);
    expect(await refusal(signed({ types: ['image/webp'] }).url, png)).toEqual([415, 'file_type_not_allowed']);
    expect(await refusal(signed({ bucketId: `bkt_${'0'.repeat(26)}` }).url, png)).toEqual([404, 'not_found']);
    const path = `avatars/${newKey()}.png`;
    const { body, status } = await putFile(signed({ maxWidth: 1, maxHeight: 1, path }).url, png);
    expect([status, (await fileOf(body.url.split('/').at(-1) ?? '')).path]).toEqual([200, path]);
  });
});

describe('a private file', () => {
  it('opens at addresses that the app signed by itself, and at no others', async () => {
    const { key, url } = signUpload(server, { size: 6, acl: 'private' });
    expect((await putFile(url, 'secret')).status).toBe(200);
    for (const path of [`/f/${key}`, `/a/${server.projectId}/${key}`]) {
      expect((await fetch(server.url + path)).status, path).toBe(403);
      const signed = signDownload(server, path);
      expect(await read(signed), path).toBe('secret');
      expect((await fetch(signDownload(server, path, Date.now() - 1))).status, path).toBe(403);
      const later = new URL(signed);
      later.searchParams.set('expires', String(Date.now() + 1e9));
      expect((await fetch(later)).status, path).toBe(403);
    }
    const elsewhere = `/a/prj_${'0'.repeat(26)}/${key}`;
    expect((await fetch(signDownload(server, elsewhere))).status).toBe(404);
    const other = await otherProject();
    const address = `${server.url}/f/${key}?expires=${Date.now() + 60_000}`;
    const stolen = `${address}&signature=${encodeURIComponent(hmac(other.apiKey, address))}`;
    expect((await fetch(stolen)).status).toBe(403);
  });
});

describe('an address that the server signs', () => {
  it('is made for apps in other languages', async () => {
    const input = {
      fileName: 'Ä b.txt',
      fileSize: 3,
      fileType: 'text/plain',
      customId: `p-${newKey()}`,
      acl: 'private',
    };
    const { status, body } = await ask<{ key: string; url: string }>(server, '/v7/prepareUpload', input);
    expect(status).toBe(200);
    expect((await putFile(body.url, 'abc')).status).toBe(200);
    expect(await fileOf(body.key)).toMatchObject({ name: 'Ä b.txt', visibility: 'private' });
    expect((await ask(server, '/v7/prepareUpload', { ...input, fileSize: 0 })).status).toBe(400);
    expect((await ask(server, '/v7/prepareUpload', input, null)).status).toBe(401);
    const json = { name: 'plain', permissions: ['files:write'] };
    const plain = expectData(await server.api<{ key: string }>('POST', '/api-keys', { json }), 201);
    const refused = await ask(server, '/v7/prepareUpload', input, plain.key);
    expect([refused.status, refused.body.message]).toEqual([403, expect.stringContaining('"signs": true')]);
  });
});

/** Sends the beginning of a body and cuts the connection. */
async function cutOff(url: string, content: Uint8Array, bytes: number): Promise<void> {
  const boundary = 'cut';
  const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n`;
  await new Promise<void>((resolve) => {
    const sending = request(url, {
      method: 'PUT',
      headers: {
        range: 'bytes=0-',
        'content-type': `multipart/form-data; boundary=${boundary}`,
        'content-length': content.length + 500,
      },
    });
    sending.on('error', () => resolve());
    sending.on('close', () => resolve());
    sending.write(head);
    sending.write(content.subarray(0, bytes), () => sending.destroy());
  });
}

/** Another project of the server, with a key that signs. */
let other: Promise<{ appId: string; apiKey: string }> | undefined;
const otherProject = () => (other ??= makeProject());

async function makeProject(): Promise<{ appId: string; apiKey: string }> {
  const person = await register(server);
  const teams = expectData(await person.call<{ items: { id: string }[] }>('GET', '/teams'));
  const json = { teamId: teams.items[0]?.id, name: `Other ${newKey().slice(0, 8)}` };
  const project = expectData(await person.call<{ id: string }>('POST', '/projects', { json }), 201);
  const key = { projectId: project.id, name: 'signs', permissions: ['files:write', 'files:read'], signs: true };
  const { key: apiKey } = expectData(await person.call<{ key: string }>('POST', '/api-keys', { json: key }), 201);
  return { appId: project.id, apiKey };
}
