import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectRefused } from '../support/api.ts';
import { concurrently } from '../support/concurrently.ts';
import { expectFileShape, listAll, put } from '../support/files.ts';
import { unique } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import type { FileInfo, Folder, Page } from '../support/wire.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
  'base64',
);
const GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');

let server: Server;
beforeAll(async () => {
  server = await startServer();
  await concurrently(Array.from({ length: 60 }), 8, (_, index) =>
    put(server, 'x'.repeat(index * 10), {
      path: `many/${String(index).padStart(3, '0')}.txt`,
      contentType: 'text/plain',
    }),
  );
  await put(server, 'deep', { path: 'many/below/deep.txt' });
  await put(server, 'deeper', { path: 'many/below/further/deeper.txt' });
  await put(server, 'beside', { path: 'many-not/beside.txt' });
  await put(server, 'top', { path: 'top.txt' });
  await put(server, PNG, { path: 'pictures/One.PNG' });
  await put(server, GIF, { path: 'pictures/two.gif' });
});
afterAll(() => server.stop());

type Query = Record<string, string | number | boolean>;
const list = (query: Query) => server.api<Page<FileInfo>>('GET', '/files', { query });
const paths = async (query: Query): Promise<string[]> => (await listAll(server, query)).map(({ path }) => path);

describe('pages', () => {
  it('hold 50 newest first unless asked otherwise', async () => {
    const { data } = await list({});
    expect(data.items).toHaveLength(50);
    expect(data.hasMore).toBe(true);
    expect(data.nextCursor).toEqual(expect.any(String));
    const created = data.items.map(({ createdAt }) => Date.parse(createdAt));
    expect(created).toEqual([...created].sort((a, b) => b - a));
    for (const file of data.items) expectFileShape(file);
  });

  it.each([1, 7, 59, 60, 61, 1000])('of %i add up to every file once', async (limit) => {
    const all = await paths({ folder: 'many', limit, sort: 'path' });
    expect(all).toEqual(Array.from({ length: 60 }, (_, index) => `many/${String(index).padStart(3, '0')}.txt`));
  });

  it.each([
    ['limit', ['0', '-1', '1001', 'ten', '1.5', '', '1e3', '99999999999999999999']],
    [
      'cursor',
      ['nonsense', '%00', 'eyJ9', 'bnVsbA', Buffer.from('{"id":{"$gt":""}}').toString('base64url'), 'x'.repeat(5000)],
    ],
  ])('with a wrong %s are 400', async (name, values) => {
    for (const value of values) expectRefused(await list({ [name]: value }), 400);
  });

  it('a cursor of one order does not work, or do harm, in another', async () => {
    const { nextCursor } = (await list({ sort: 'size', limit: 5 })).data;
    const answer = await list({ sort: 'name', limit: 5, cursor: nextCursor as string });
    expect([200, 400]).toContain(answer.status);
  });

  it.each(['createdAt', '-createdAt', 'name', '-name', 'size', '-size', 'updatedAt', '-updatedAt', 'path', '-path'])(
    'by %s stay stable while files come and go',
    async (sort) => {
      const folder = `stable/${unique()}`;
      await concurrently(Array.from({ length: 25 }), 8, (_, index) =>
        put(server, 's'.repeat(1 + (index % 5)), { path: `${folder}/f${index}` }),
      );
      const before = (await listAll(server, { folder, sort })).map(({ id }) => id);
      const seen: string[] = [];
      let cursor: string | null = null;
      let round = 0;
      do {
        const page: Page<FileInfo> = (await list({ folder, sort, limit: 4, ...(cursor ? { cursor } : {}) })).data;
        seen.push(...page.items.map(({ id }) => id));
        cursor = page.nextCursor;
        await put(server, 'new', { path: `${folder}/${round % 2 === 0 ? 'a' : 'z'}new${round}` });
        round += 1;
      } while (cursor);
      const old = seen.filter((id) => before.includes(id));
      expect(old, 'each of the old ones once, in order').toEqual(before);
      expect(new Set(seen).size, 'nothing twice').toBe(seen.length);
    },
  );

  it('stay whole when many files share the value that is sorted by', async () => {
    const folder = `ties/${unique()}`;
    await concurrently(Array.from({ length: 30 }), 8, (_, index) =>
      put(server, 'same', { path: `${folder}/${index}/same.txt` }),
    );
    for (const sort of ['size', '-size', 'name', '-name']) {
      const all = (await listAll(server, { folder, recursive: true, sort, limit: 7 })).map(({ id }) => id);
      expect(new Set(all).size).toBe(30);
      expect(all).toHaveLength(30);
    }
  });
});

describe('orders', () => {
  it('name and path, size, dates; each both ways', async () => {
    const value: Record<string, (file: FileInfo) => string | number> = {
      name: ({ name }) => name,
      path: ({ path }) => path,
      size: ({ size }) => size,
      createdAt: ({ createdAt }) => createdAt,
      updatedAt: ({ updatedAt }) => updatedAt,
    };
    for (const [field, of] of Object.entries(value)) {
      const up = (await listAll(server, { folder: 'many', sort: field })).map(of);
      const sorted = [...up].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      expect(up, field).toEqual(sorted);
      expect((await listAll(server, { folder: 'many', sort: `-${field}` })).map(of), `-${field}`).toEqual(
        [...sorted].reverse(),
      );
    }
  });

  it.each([
    'createdAt;DROP TABLE files',
    'createdAt desc',
    '(select 1)',
    'name,size',
    '--size',
    'NAME',
    'sha256',
    '__proto__',
    'constructor',
    '',
    '1',
    "name'",
    'name\u0000',
    'size"; select pg_sleep(10); --',
  ])('sort=%j is 400', async (sort) => {
    expectRefused(await list({ sort }), 400);
  });
});

describe('filters', () => {
  it('folder: its own files; with recursive those below too, and not those of a folder that begins alike', async () => {
    expect((await paths({ folder: 'many' })).length).toBe(60);
    const below = await paths({ folder: 'many', recursive: true });
    expect(below).toHaveLength(62);
    expect(below).toEqual(expect.arrayContaining(['many/below/deep.txt', 'many/below/further/deeper.txt']));
    expect(below).not.toContain('many-not/beside.txt');
    expect(await paths({ folder: 'many/below' })).toEqual(['many/below/deep.txt']);
    expect(await paths({ folder: 'nothing' })).toEqual([]);
    expect(await paths({ folder: '' })).toContain('top.txt');
    expect(await paths({ folder: '' })).not.toContain('many/001.txt');
  });

  it('folder: signs that mean something in a pattern are only signs', async () => {
    await put(server, 'x', { path: '100%_real/x.txt' });
    await put(server, 'x', { path: '100 unreal/x.txt' });
    expect(await paths({ folder: '100%_real', recursive: true })).toEqual(['100%_real/x.txt']);
    expect(await paths({ folder: '%', recursive: true })).toEqual([]);
    expect(await paths({ folder: '\\' })).toEqual([]);
  });

  it('type: one, or a family', async () => {
    expect(await paths({ type: 'image/png' })).toEqual(['pictures/One.PNG']);
    expect((await paths({ type: 'image/*' })).sort()).toEqual(['pictures/One.PNG', 'pictures/two.gif']);
    expect(await paths({ type: 'image/webp' })).toEqual([]);
    expectRefused(await list({ type: '%/%' }), 400);
  });

  it('size: at least and at most, both included', async () => {
    expect((await paths({ folder: 'many', minSize: 100, maxSize: 120 })).sort()).toEqual([
      'many/010.txt',
      'many/011.txt',
      'many/012.txt',
    ]);
    expect(await paths({ folder: 'many', maxSize: 0 })).toEqual(['many/000.txt']);
    for (const wrong of ['-1', 'x', '1.5', '9007199254740993']) expectRefused(await list({ minSize: wrong }), 400);
  });

  it('time: after and before', async () => {
    const file = await put(server, 'x', { path: 'time/x' });
    const at = Date.parse(file.createdAt);
    const iso = (offset: number): string => new Date(at + offset).toISOString();
    expect(await paths({ folder: 'time', createdAfter: iso(-1000), createdBefore: iso(1000) })).toEqual(['time/x']);
    expect(await paths({ folder: 'time', createdAfter: iso(1000) })).toEqual([]);
    expect(await paths({ folder: 'time', createdBefore: iso(-1000) })).toEqual([]);
    for (const wrong of ['yesterday', '2026-13-01T00:00:00Z', '1', "'; select 1"])
      expectRefused(await list({ createdAfter: wrong }), 400);
  });

  it('tag', async () => {
    const file = await put(server, 'x', { path: 'tags/x' });
    await put(server, 'x', { path: 'tags/y' });
    await server.api('PATCH', `/files/${file.id}`, { json: { tags: ['rot', 'grün & blau', "it's"] } });
    for (const tag of ['rot', 'grün & blau', "it's"]) expect(await paths({ tag })).toEqual(['tags/x']);
    for (const tag of ['ro', 'rot,blau', '{rot}', '%']) expect(await paths({ tag })).toEqual([]);
  });

  it('uploader: whoever it was, and nobody', async () => {
    const [file] = (await list({ limit: 1 })).data.items as [FileInfo & { uploadedBy?: string }];
    expect(file.uploadedBy, 'a file says who brought it').toEqual(expect.any(String));
    expect((await paths({ uploader: file.uploadedBy as string })).length).toBeGreaterThan(60);
    expect(await paths({ uploader: 'nobody' })).toEqual([]);
  });

  it('q: a part of the name, in any case, and no pattern', async () => {
    expect(await paths({ q: 'one.p' })).toEqual(['pictures/One.PNG']);
    expect(await paths({ q: 'ONE' })).toEqual(['pictures/One.PNG']);
    expect(await paths({ q: 'pictures' }), 'the name, not the folder').toEqual([]);
    await put(server, 'x', { path: 'q/50%_off.txt' });
    await put(server, 'x', { path: 'q/50 euro off.txt' });
    expect(await paths({ q: '50%' })).toEqual(['q/50%_off.txt']);
    expect(await paths({ q: '%_' })).toEqual(['q/50%_off.txt']);
    expect(await paths({ q: '\\' })).toEqual([]);
    expect(await paths({ q: "' OR '1'='1" })).toEqual([]);
    await put(server, 'x', { path: 'q/Übergröße 写真.txt' });
    expect(await paths({ q: 'übergrö' })).toEqual(['q/Übergröße 写真.txt']);
    expect(await paths({ q: '写真' })).toEqual(['q/Übergröße 写真.txt']);
  });

  it('together', async () => {
    const query = { folder: 'many', recursive: true, type: 'text/*', minSize: 200, q: '5', sort: '-size' };
    expect(await paths({ ...query, limit: 3 })).toEqual(await paths(query));
    for (const path of await paths(query)) expect(path).toMatch(/5/);
  });

  it('an unknown parameter or status does no harm', async () => {
    expect([200, 400]).toContain((await list({ nonsense: 'x' })).status);
    expectRefused(await list({ status: 'everything' }), 400);
    expect([400, 404]).toContain((await list({ projectId: 'prj_00000000000000000000000000' })).status);
  });
});

describe('folders with counts', () => {
  const folders = async (folder?: string): Promise<Record<string, Folder>> => {
    const query: Record<string, string> = folder === undefined ? {} : { folder };
    const { items } = (await server.api<Page<Folder>>('GET', '/files/folders', { query })).data;
    return Object.fromEntries(items.map((item) => [item.path, item]));
  };

  it('at the top and below', async () => {
    const top = await folders();
    expect(top.many).toMatchObject({ path: 'many', name: 'many', files: 62 });
    expect(top['many-not']).toMatchObject({ files: 1, bytes: 6 });
    expect(await folders('')).toEqual(top);
    const many = await folders('many');
    expect(Object.keys(many)).toEqual(['many/below']);
    expect(many['many/below']).toMatchObject({ name: 'below', files: 2, bytes: 10 });
    expect(await folders('many/below/further')).toEqual({});
    expect(await folders('nothing')).toEqual({});
  });

  it('follow what happens to the files', async () => {
    const at = unique('folder');
    const file = await put(server, '12345', { path: `${at}/a` });
    await put(server, '123', { path: `${at}/b` });
    expect((await folders())[at]).toMatchObject({ files: 2, bytes: 8 });
    await put(server, '1234567', { path: `${at}/b` });
    expect((await folders())[at], 'the current version counts').toMatchObject({ files: 2, bytes: 12 });
    await server.api('DELETE', `/files/${file.id}`);
    expect((await folders())[at]).toMatchObject({ files: 1, bytes: 7 });
    await server.api('POST', `/files/${file.id}/restore`);
    expect((await folders())[at]).toMatchObject({ files: 2 });
    await server.api('PATCH', `/files/${file.id}`, { json: { path: `${at}-moved/a` } });
    expect((await folders())[at]).toMatchObject({ files: 1 });
    expect((await folders())[`${at}-moved`]).toMatchObject({ files: 1, bytes: 5 });
  });
});
