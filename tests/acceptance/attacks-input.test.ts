import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../support/api.ts';
import { initUpload } from '../support/direct.ts';
import { expectIntact, findByPath, postForm, postRaw, put, serve } from '../support/files.ts';
import { unique } from '../support/random.ts';
import { rawExchange, requestHead } from '../support/raw-http.ts';
import { type Server, startServer } from '../support/server.ts';
import { TUS, tus, tusMetadata } from '../support/tus.ts';
import type { FileInfo } from '../support/wire.ts';

let server: Server;
let file: FileInfo;
beforeAll(async () => {
  server = await startServer({ env: { CARCOSA_LOG_LEVEL: 'debug' } });
  file = await put(server, 'still here', { path: 'attacked/file.txt' });
});
afterEach(async () => {
  expect(server.running).toBe(true);
  await expectIntact(server, (await server.api<FileInfo>('GET', `/files/${file.id}`)).data, Buffer.from('still here'));
});
afterAll(() => server.stop());

const NASTY = [
  '\u0000',
  'a\u0000b',
  '\ud800',
  "' OR 1=1; DROP TABLE files; --",
  '"; SELECT pg_sleep(20); --',
  '$1',
  '%',
  '\\',
  `$\{7*7}`,
  '(((((a+)+)+)+)+)+$',
  '../../../../etc/passwd',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  '\r\nx-injected: yes',
  '\u202e\u2066',
  '9'.repeat(400),
  'x'.repeat(6000),
  '[object Object]',
  'NaN',
  '-0',
  '1e309',
  '',
];

const FIELDS = [
  'limit',
  'cursor',
  'folder',
  'recursive',
  'type',
  'minSize',
  'maxSize',
  'createdAfter',
  'createdBefore',
  'tag',
  'uploader',
  'q',
  'sort',
  'status',
  'projectId',
];

/** No fault of ours, no matter what; and soon. */
function expectNoFault(answer: Answer<unknown>, what: string): void {
  expect(answer.status, `${what}: ${JSON.stringify(answer.body)?.slice(0, 300)}`).toBeLessThan(500);
}

describe('SQL, patterns and worse in every parameter (29)', () => {
  it.each(FIELDS)('GET /files?%s=', async (field) => {
    for (const value of NASTY) {
      const begun = performance.now();
      expectNoFault(
        await server.api('GET', '/files', { query: { [field]: value.toWellFormed() } }),
        `${field}=${JSON.stringify(value.slice(0, 40))}`,
      );
      expect(performance.now() - begun, `${field}=${value.slice(0, 40)}`).toBeLessThan(3000);
    }
  });

  it('as ids, in every route', async () => {
    for (const value of NASTY.filter((text) => text !== '')) {
      const id = encodeURIComponent(value.toWellFormed());
      for (const [method, path, json] of [
        ['GET', `/files/${id}`, undefined],
        ['PATCH', `/files/${id}`, { tags: [] }],
        ['DELETE', `/files/${id}`, undefined],
        ['GET', `/files/${id}/versions`, undefined],
        ['POST', `/files/${id}/versions/${id}/restore`, {}],
        ['POST', `/files/${id}/signed-url`, {}],
        ['GET', `/uploads/${id}`, undefined],
        ['POST', `/uploads/${id}/complete`, {}],
        ['POST', `/uploads/${id}/parts`, { partNumbers: [1] }],
        ['DELETE', `/uploads/${id}`, undefined],
        ['PATCH', `/projects/${id}`, { settings: {} }],
        ['POST', `/projects/${id}/rotate-signing-key`, undefined],
        ['GET', `/files/folders?folder=${id}`, undefined],
      ] as const) {
        expectNoFault(
          await server.api(method, path, json === undefined ? {} : { json }),
          `${method} ${path.slice(0, 80)}`,
        );
      }
      expect((await serve(server, `/f/${id}`)).status).toBeLessThan(500);
      expect((await tus(server, 'HEAD', `${TUS}/${id}`)).status).toBeLessThan(500);
    }
  });

  it('as values, in every body', async () => {
    for (const value of NASTY) {
      const what = JSON.stringify(value.slice(0, 40));
      const bodies: [string, string, unknown][] = [
        ['POST', '/uploads/init', { fileName: value, size: 1 }],
        ['POST', '/uploads/init', { fileName: 'x', size: 1, path: value }],
        ['POST', '/uploads/init', { fileName: 'x', size: 1, contentType: value }],
        ['POST', '/uploads/init', { fileName: 'x', size: 1, checksum: value }],
        ['POST', '/uploads/init', { fileName: 'x', size: 1, metadata: { [value]: value } }],
        ['POST', '/uploads/init', { fileName: 'x', size: 1, tenantId: value }],
        ['PATCH', `/files/${file.id}`, { metadata: { [value]: [value, { x: value }] } }],
        ['PATCH', `/files/${file.id}`, { tags: [value] }],
        ['POST', '/files/bulk', { action: 'delete', items: [{ id: value }] }],
        ['POST', '/files/bulk', { action: 'update', items: [{ id: file.id, metadata: { [value]: value } }] }],
      ];
      for (const [method, path, json] of bodies)
        expectNoFault(await server.api(method, path, { json }), `${method} ${path} ${what}`);
      expectNoFault(await server.api('PATCH', `/files/${file.id}`, { json: { metadata: {}, tags: [] } }), 'tidy');
    }
  });

  it('as headers of tus, of checksums and of idempotency', async () => {
    for (const value of NASTY) {
      const header = value.replace(/[^\x20-\x7e]/g, '?');
      for (const name of [
        'upload-length',
        'upload-metadata',
        'upload-concat',
        'upload-defer-length',
        'upload-checksum',
        'idempotency-key',
      ]) {
        const answer = await tus(server, 'POST', TUS, { headers: { 'upload-length': '1', [name]: header } });
        expect(answer.status, `${name}: ${header.slice(0, 40)}`).toBeLessThan(500);
      }
      for (const name of [
        'content-digest',
        'x-checksum-sha256',
        'range',
        'if-none-match',
        'if-range',
        'content-type',
      ]) {
        const answer = await postRaw(server, 'x', { path: `headers/${unique()}`, headers: { [name]: header } });
        expect(answer.status, `${name}: ${header.slice(0, 40)}`).toBeLessThan(500);
        expect((await serve(server, file.url, { headers: { [name]: header } })).status, name).toBeLessThan(500);
      }
      const metadata = tusMetadata({ filename: value, filetype: value, path: value, visibility: value, more: value });
      if (metadata.length < 12_000) {
        const answer = await tus(server, 'POST', TUS, {
          headers: { 'upload-length': '1', 'upload-metadata': metadata },
        });
        expect(answer.status, `metadata ${header.slice(0, 40)}`).toBeLessThan(500);
      }
    }
  });

  it('metadata with NUL or half a character is refused or kept exactly', async () => {
    for (const metadata of [{ a: '\u0000' }, { 'k\u0000': 1 }, { a: '\ud800' }, { a: ['\udfff'] }]) {
      const answer = await server.api<FileInfo>('PATCH', `/files/${file.id}`, { json: { metadata } });
      expectNoFault(answer, JSON.stringify(metadata));
      if (answer.status === 200) expect(answer.data.metadata).toEqual(metadata);
    }
  });
});

describe('log injection (29)', () => {
  it('a line break in anything that is logged begins no line of its own', async () => {
    const forged = '{"level":"fatal","msg":"forged line"}';
    await server.api('GET', `/files/x%0a${encodeURIComponent(forged)}`);
    await server.api('GET', '/files', { query: { q: `x\n${forged}`, sort: `name\n${forged}` } });
    await server.api('GET', `/nothing%0d%0a${encodeURIComponent(forged)}`);
    await postRaw(server, 'x', { path: `log\n${forged}` });
    await postForm(server, 'x', { fileName: `log\n${forged}` });
    await initUpload(server, { fileName: `log\n${forged}`, size: 1 });
    await rawExchange(
      server.url,
      requestHead('GET', '/api/v1/files', { 'x-request-id': `x ${forged}`, 'user-agent': `\t${forged}` }),
    );
    for (const line of server.logs.split('\n')) expect(line.startsWith(forged), line).toBe(false);
    expect(server.logs, 'nor does it move the cursor of a terminal').not.toContain('\u001b[');
  });

  it('an escape sequence in a name does not reach the terminal', async () => {
    await server.api('GET', `/files/${encodeURIComponent('\u001b[2J\u001b]0;owned\u0007')}`);
    await postRaw(server, 'x', { path: 'esc\u001b[31m' });
    for (const control of ['\u001b', '\u0007', '\u009b']) expect(server.logs).not.toContain(control);
  });
});

describe('prototype pollution and mass assignment (22, 28)', () => {
  const raw = (method: string, path: string, body: string): Promise<Answer<FileInfo>> =>
    server.api<FileInfo>(method, path, { body, headers: { 'content-type': 'application/json' } });

  it.each([
    '{"__proto__":{"polluted":"yes"},"tags":["a"]}',
    '{"constructor":{"prototype":{"polluted":"yes"}},"tags":["a"]}',
    '{"metadata":{"__proto__":{"polluted":"yes"}}}',
    '{"metadata":{"constructor":{"prototype":{"polluted":"yes"}}}}',
  ])('%s is refused or means nothing', async (body) => {
    const answer = await raw('PATCH', `/files/${file.id}`, body);
    expectNoFault(answer, body);
    const fresh = await put(server, 'x', { path: `polluted/${unique()}` });
    expect(JSON.stringify(fresh), 'nothing else has caught it').not.toContain('polluted":"yes');
    expect(
      JSON.stringify((await server.api('GET', '/files')).body).match(/polluted":"yes/g)?.length ?? 0,
    ).toBeLessThanOrEqual(1);
    await raw('PATCH', `/files/${file.id}`, '{"metadata":{},"tags":[]}');
  });

  it('form fields named like the prototype are nothing', async () => {
    const form = new FormData();
    for (const name of ['__proto__', '__proto__[polluted]', 'constructor', 'toString']) form.append(name, 'yes');
    form.append('file', new Blob(['x']), 'polluted-form.txt');
    expectNoFault(await server.api('POST', '/files', { body: form }), 'form');
    expect((await server.api('GET', '/files')).status).toBe(200);
  });

  it('what a client may not set is refused or left alone', async () => {
    const before = (await server.api<FileInfo>('GET', `/files/${file.id}`)).data;
    const forbidden: Record<string, unknown> = {
      id: 'file_00000000000000000000000000',
      key: 'chosen-key',
      size: 1,
      sha256: '0'.repeat(64),
      contentType: 'text/html',
      version: 99,
      bucketId: 'bkt_x',
      projectId: 'prj_x',
      organizationId: 'org_x',
      tenantId: 'tnt_x',
      storageKey: '../../etc/passwd',
      createdAt: '1999-01-01T00:00:00.000Z',
      uploadedBy: 'somebody',
      deletedAt: '1999-01-01T00:00:00.000Z',
      url: 'http://127.0.0.1/x',
    };
    for (const [name, value] of Object.entries(forbidden)) {
      const answer = await server.api<FileInfo>('PATCH', `/files/${file.id}`, { json: { [name]: value } });
      expectNoFault(answer, name);
      expect((await server.api<FileInfo>('GET', `/files/${file.id}`)).data, name).toMatchObject({
        ...before,
        updatedAt: expect.any(String),
      });
      const init = await initUpload(server, { fileName: 'x', size: 1, path: `mass/${unique()}`, [name]: value });
      expectNoFault(init, `init ${name}`);
    }
  });

  it('a project’s owner, key and id can not be set with its settings', async () => {
    for (const json of [
      { organizationId: 'org_x', settings: {} },
      { id: 'prj_x', settings: {} },
      { settings: { signingKey: 'mine' } },
      { settings: { __proto__: { admin: true }, role: 'owner' } },
      { settings: { quota: 1e18 } },
    ]) {
      const answer = await server.api('PATCH', `/projects/${server.projectId}`, { json });
      expectNoFault(answer, JSON.stringify(json));
      expect(JSON.stringify(answer.body)).not.toMatch(/"(signingKey|quota|role)"/);
    }
    expect((await put(server, 'x', { path: `mass/${unique()}` })).visibility).toBe('public');
  });

  it('another project’s id in query, form or body is not found', async () => {
    const projectId = 'prj_00000000000000000000000000';
    expect([400, 403, 404]).toContain((await server.api('GET', '/files', { query: { projectId } })).status);
    expect([400, 403, 404]).toContain(
      (await server.api('POST', '/uploads/init', { json: { fileName: 'x', size: 1, projectId } })).status,
    );
    const path = `foreign/${unique()}`;
    const answer = await server.api('POST', '/files', { body: 'x', query: { path, projectId } });
    expect([400, 403, 404]).toContain(answer.status);
    expect(await findByPath(server, path)).toBeUndefined();
  });
});

describe('content types that an address does not read', () => {
  it.each([
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-7',
    '',
  ])('%s in place of JSON is refused, or read as JSON', async (type) => {
    const body = JSON.stringify({ fileName: 'x', size: 1 });
    const answer = await server.api('POST', '/uploads/init', {
      body: Buffer.from(body),
      headers: { 'content-type': type },
    });
    expect([201, 400, 415]).toContain(answer.status);
  });
});
