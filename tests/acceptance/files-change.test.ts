import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, expectData, expectRefused } from '../support/api.ts';
import { times } from '../support/concurrently.ts';
import { expectFileShape, expectIntact, findByPath, listAll, put, serve, versionsOf } from '../support/files.ts';
import { sha256, unique } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import type { FileInfo } from '../support/wire.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const get = (id: string): Promise<Answer<FileInfo>> => server.api<FileInfo>('GET', `/files/${id}`);
const patch = (id: string, json: unknown): Promise<Answer<FileInfo>> =>
  server.api<FileInfo>('PATCH', `/files/${id}`, { json });
const copy = (id: string, path: string): Promise<Answer<FileInfo>> =>
  server.api<FileInfo>('POST', `/files/${id}/copy`, { json: { path } });
const trash = (id: string): Promise<Answer<unknown>> => server.api('DELETE', `/files/${id}`);
const purge = (id: string): Promise<Answer<unknown>> =>
  server.api('DELETE', `/files/${id}`, { query: { permanent: true } });
const restore = (id: string): Promise<Answer<FileInfo>> => server.api<FileInfo>('POST', `/files/${id}/restore`);

describe('rename and move', () => {
  it('keep id, key, address and content', async () => {
    const file = await put(server, 'moving', { path: 'move/a.txt' });
    const renamed = expectData(await patch(file.id, { name: 'b – neu.txt' }));
    expectFileShape(renamed);
    expect(renamed).toMatchObject({
      id: file.id,
      key: file.key,
      name: 'b – neu.txt',
      path: 'move/b – neu.txt',
      version: 1,
    });
    expect(Date.parse(renamed.updatedAt)).toBeGreaterThanOrEqual(Date.parse(file.updatedAt));
    const moved = expectData(await patch(file.id, { path: 'elsewhere/deep/c.txt' }));
    expect(moved).toMatchObject({ id: file.id, key: file.key, name: 'c.txt', path: 'elsewhere/deep/c.txt' });
    await expectIntact(server, moved, Buffer.from('moving'));
    expect((await serve(server, `/f/${file.key}`)).status).toBe(200);
    expect(await findByPath(server, 'move/a.txt')).toBeUndefined();
  });

  it('onto a path that is taken is 409, and both stay', async () => {
    const [one, two] = [
      await put(server, 'one', { path: 'taken/one' }),
      await put(server, 'two', { path: 'taken/two' }),
    ];
    expect(expectRefused(await patch(one.id, { path: 'taken/two' }), 409).error).toBe('path_taken');
    expectRefused(await patch(one.id, { name: 'two' }), 409);
    await expectIntact(server, expectData(await get(one.id)), Buffer.from('one'));
    await expectIntact(server, expectData(await get(two.id)), Buffer.from('two'));
  });

  it('to where it is changes nothing', async () => {
    const file = await put(server, 'x', { path: 'same/x' });
    expect(expectData(await patch(file.id, { path: 'same/x' }))).toMatchObject({ id: file.id, version: 1 });
  });

  it('of twenty files to one path at once lets one win', async () => {
    const files = await times(20, (index) => put(server, `file ${index}`, { path: `rush/${index}` }));
    const answers = await Promise.all(files.map(({ id }) => patch(id, { path: 'rush/goal' })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const { status } of answers) expect([200, 409]).toContain(status);
    expect((await listAll(server, { folder: 'rush' })).length).toBe(20);
  });

  it('leaves room for a new file at the old path', async () => {
    const file = await put(server, 'old', { path: 'room/x' });
    await patch(file.id, { path: 'room/y' });
    const other = await put(server, 'new', { path: 'room/x' });
    expect(other.id).not.toBe(file.id);
    expect(other.version).toBe(1);
  });
});

describe('metadata and tags', () => {
  const metadata = (bytes: number): Record<string, string> => ({ k: 'x'.repeat(bytes - '{"k":""}'.length) });

  it('come back as they went in', async () => {
    const file = await put(server, 'x', { path: 'meta/x' });
    const json = {
      metadata: { deep: { list: [1, 'zwei', null, { x: true }] }, kéy: 1e21, tiny: 5e-324, emoji: '👩‍👩‍👧' },
      tags: ['b', 'a', 'ü'],
    };
    const changed = expectData(await patch(file.id, json));
    expect(changed.metadata).toEqual(json.metadata);
    expect([...changed.tags].sort()).toEqual(['a', 'b', 'ü']);
    expect(expectData(await get(file.id))).toMatchObject(changed);
    expect(expectData(await patch(file.id, { tags: [] })).tags).toEqual([]);
    expect(expectData(await get(file.id)).metadata, 'what is not named stays').toEqual(json.metadata);
    expect(expectData(await patch(file.id, { metadata: {} })).metadata).toEqual({});
  });

  it('metadata may have 16 KiB of JSON, and not a byte more', async () => {
    const file = await put(server, 'x', { path: 'meta/limit' });
    expect(expectData(await patch(file.id, { metadata: metadata(16_384) })).metadata).toEqual(metadata(16_384));
    expectRefused(await patch(file.id, { metadata: metadata(16_385) }), 400, 413, 422);
    expectRefused(await patch(file.id, { metadata: { k: '長'.repeat(6000) } }), 400, 413, 422);
    expect(expectData(await get(file.id)).metadata).toEqual(metadata(16_384));
  });

  it.each([
    { metadata: [] },
    { metadata: 'x' },
    { metadata: null },
    { metadata: 7 },
    { tags: 'x' },
    { tags: [1] },
    { tags: [null] },
    { tags: [''] },
    { tags: ['x'.repeat(5000)] },
    { tags: Array.from({ length: 5000 }, (_, index) => `t${index}`) },
    { visibility: 'everyone' },
    { name: 7 },
    { path: null },
    {},
    [],
    'x',
    null,
  ])('%j is refused', async (json) => {
    const file = await put(server, 'x', { path: `meta/${unique()}` });
    expectRefused(await patch(file.id, json), 400, 413, 422);
    expect(expectData(await get(file.id))).toMatchObject(file);
  });

  it('a tag twice is one tag', async () => {
    const file = await put(server, 'x', { path: 'meta/twice' });
    expect(expectData(await patch(file.id, { tags: ['a', 'a', 'b'] })).tags.sort()).toEqual(['a', 'b']);
  });

  it('changed by many at once end as one of them', async () => {
    const file = await put(server, 'x', { path: 'meta/race' });
    const answers = await times(20, (index) =>
      patch(file.id, { metadata: { index, filler: 'x'.repeat(1000) }, tags: [`t${index}`] }),
    );
    for (const { status } of answers) expect([200, 409]).toContain(status);
    const after = expectData(await get(file.id));
    expect(after.tags).toEqual([`t${after.metadata.index}`]);
  });
});

describe('copy', () => {
  it('is a file of its own with the same content', async () => {
    const file = await put(server, 'copy me', { path: 'copy/a.txt', contentType: 'text/plain' });
    await patch(file.id, { metadata: { a: 1 }, tags: ['t'] });
    const made = expectData(await copy(file.id, 'copy/b.txt'), 201);
    expectFileShape(made);
    expect(made.id).not.toBe(file.id);
    expect(made.key).not.toBe(file.key);
    expect(made).toMatchObject({
      path: 'copy/b.txt',
      version: 1,
      sha256: sha256(Buffer.from('copy me')),
      metadata: { a: 1 },
      tags: ['t'],
      visibility: 'public',
    });
    await put(server, 'changed', { path: 'copy/a.txt' });
    await expectIntact(server, made, Buffer.from('copy me'));
  });

  it('lives on when the original is purged, and the other way round', async () => {
    const file = await put(server, 'survivor', { path: 'copy/original' });
    const [one, two] = [
      expectData(await copy(file.id, 'copy/one'), 201),
      expectData(await copy(file.id, 'copy/two'), 201),
    ];
    await purge(file.id);
    await expectIntact(server, one, Buffer.from('survivor'));
    await purge(one.id);
    await expectIntact(server, two, Buffer.from('survivor'));
  });

  it('onto a path that is taken never loses what was there', async () => {
    const [one, two] = [await put(server, 'one', { path: 'copy/x' }), await put(server, 'two', { path: 'copy/y' })];
    const answer = await copy(one.id, 'copy/y');
    expect([201, 409]).toContain(answer.status);
    if (answer.status === 201) expect(answer.data).toMatchObject({ id: two.id, version: 2 });
    expect((await serve(server, `/f/${two.key}?v=1`)).bytes.toString()).toBe('two');
  });
});

describe('versions', () => {
  it('are listed, and an old one can be brought back', async () => {
    const first = await put(server, 'version 1', { path: 'versions/x' });
    await put(server, 'the version 2', { path: 'versions/x' });
    const versions = await versionsOf(server, first.id);
    expect(versions.map(({ version, size, sha256: digest }) => [version, size, digest])).toEqual([
      [1, 9, sha256(Buffer.from('version 1'))],
      [2, 13, sha256(Buffer.from('the version 2'))],
    ]);
    const back = expectData(await server.api<FileInfo>('POST', `/files/${first.id}/versions/1/restore`));
    expect(back).toMatchObject({ id: first.id, key: first.key, size: 9, sha256: sha256(Buffer.from('version 1')) });
    await expectIntact(server, back, Buffer.from('version 1'));
    expect((await serve(server, `/f/${first.key}`)).bytes.toString()).toBe('version 1');
    expect((await serve(server, `/f/${first.key}?v=2`)).bytes.toString(), 'nothing is lost by it').toBe(
      'the version 2',
    );
    expect(expectData(await get(first.id))).toMatchObject(back);
  });

  it('that there are none of are 404', async () => {
    const file = await put(server, 'x', { path: 'versions/none' });
    for (const version of ['2', '0', '-1', 'x', '1e0', '99999999999999999999', "1'"]) {
      const at = `/files/${file.id}/versions/${encodeURIComponent(version)}/restore`;
      expectRefused(await server.api('POST', at), 400, 404);
    }
    expectRefused(await server.api('GET', '/files/file_00000000000000000000000000/versions'), 404);
  });

  it('leave name, metadata and tags of the file alone', async () => {
    const file = await put(server, '1', { path: 'versions/meta' });
    await patch(file.id, { metadata: { keep: true }, tags: ['keep'] });
    expect(await put(server, '2', { path: 'versions/meta' })).toMatchObject({
      id: file.id,
      version: 2,
      tags: ['keep'],
    });
  });
});

describe('trash', () => {
  it('takes a file out of list, path and address, and gives it back', async () => {
    const file = await put(server, 'thrown away', { path: 'trash/x' });
    expect([200, 204]).toContain((await trash(file.id)).status);
    expect(await findByPath(server, 'trash/x')).toBeUndefined();
    expect((await listAll(server, { status: 'trashed' })).map(({ id }) => id)).toContain(file.id);
    expect([404, 410]).toContain((await serve(server, `/f/${file.key}`)).status);
    expect([404, 410]).toContain((await serve(server, `/f/${file.key}?v=1`)).status);
    const back = expectData(await restore(file.id));
    expect(back).toMatchObject({ id: file.id, key: file.key, path: 'trash/x' });
    await expectIntact(server, back, Buffer.from('thrown away'));
    expect((await listAll(server, { status: 'trashed' })).map(({ id }) => id)).not.toContain(file.id);
  });

  it('leaves the path to others; to come back then is a conflict, or another path', async () => {
    const old = await put(server, 'old', { path: 'trash/path' });
    await trash(old.id);
    const fresh = await put(server, 'fresh', { path: 'trash/path' });
    expect(fresh.id).not.toBe(old.id);
    expect(fresh.version).toBe(1);
    const answer = await restore(old.id);
    if (answer.status === 200) expect(answer.data.path).not.toBe('trash/path');
    else expectRefused(answer, 409);
    await expectIntact(server, expectData(await get(fresh.id)), Buffer.from('fresh'));
  });

  it('closes signed addresses too', async () => {
    const file = await put(server, 'x', { path: 'trash/signed', visibility: 'private' });
    const { url } = (await server.api<{ url: string }>('POST', `/files/${file.id}/signed-url`, { json: {} })).data;
    await trash(file.id);
    expect([403, 404, 410]).toContain((await serve(server, url)).status);
  });

  it('twice, restore twice and purge twice are no faults', async () => {
    const file = await put(server, 'x', { path: 'trash/twice' });
    await trash(file.id);
    expect([200, 204, 404, 409]).toContain((await trash(file.id)).status);
    await restore(file.id);
    expect([200, 409]).toContain((await restore(file.id)).status);
    expect([200, 204]).toContain((await purge(file.id)).status);
    expect([204, 404]).toContain((await purge(file.id)).status);
  });

  it('a purged file is gone for good, with its versions', async () => {
    const file = await put(server, 'one', { path: 'trash/purged' });
    await put(server, 'two', { path: 'trash/purged' });
    expect([200, 204]).toContain((await purge(file.id)).status);
    expectRefused(await get(file.id), 404);
    expectRefused(await restore(file.id), 404);
    expectRefused(await server.api('GET', `/files/${file.id}/versions`), 404);
    expect([404, 410]).toContain((await serve(server, `/f/${file.key}?v=1`)).status);
    expect((await listAll(server, { status: 'trashed' })).map(({ id }) => id)).not.toContain(file.id);
    const fresh = await put(server, 'three', { path: 'trash/purged' });
    expect([fresh.version, fresh.id === file.id]).toEqual([1, false]);
  });

  it('a file in the trash can be purged', async () => {
    const file = await put(server, 'x', { path: 'trash/then-purged' });
    await trash(file.id);
    expect([200, 204]).toContain((await purge(file.id)).status);
    expectRefused(await restore(file.id), 404);
  });
});

describe('what is not there', () => {
  it.each([
    'file_00000000000000000000000000',
    'nonsense',
    '%00',
    "' or 1=1--",
    'a'.repeat(1000),
    '..',
    'bulk',
    '__proto__',
  ])('%s is 404 for every verb, and the same 404', async (id) => {
    const at = `/files/${encodeURIComponent(id)}`;
    const answers = [
      await server.api('GET', at),
      await server.api('PATCH', at, { json: { tags: [] } }),
      await server.api('DELETE', at),
      await server.api('POST', `${at}/copy`, { json: { path: 'x' } }),
      await server.api('POST', `${at}/restore`),
      await server.api('POST', `${at}/signed-url`, { json: {} }),
      await server.api('GET', `${at}/versions`),
    ];
    for (const answer of answers) expectRefused(answer, 400, 404, 405, 414);
  });
});
