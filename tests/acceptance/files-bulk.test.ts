import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, expectData, expectRefused } from '../support/api.ts';
import { concurrently } from '../support/concurrently.ts';
import { expectIntact, findByPath, listAll, put } from '../support/files.ts';
import { unique } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import type { BulkResults, FileInfo } from '../support/wire.ts';

const NOBODY = 'file_00000000000000000000000000';
let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const bulk = (action: string, items: unknown): Promise<Answer<BulkResults>> =>
  server.api<BulkResults>('POST', '/files/bulk', { json: { action, items } });
const some = (count: number, folder = unique('bulk')): Promise<FileInfo[]> =>
  concurrently(Array.from({ length: count }), 16, (_, index) =>
    put(server, `${folder} ${index}`, { path: `${folder}/${index}` }),
  );
const ids = (files: FileInfo[]): { id: string }[] => files.map(({ id }) => ({ id }));

/** Every item has its result, in the order asked. */
function expectResults(answer: Answer<BulkResults>, wanted: [string, boolean][]): BulkResults['results'] {
  const { results } = expectData(answer, 200);
  expect(results.map(({ id, ok }) => [id, ok])).toEqual(wanted);
  for (const result of results.filter(({ ok }) => !ok)) {
    expect(result.error).toMatchObject({
      error: expect.stringMatching(/^[a-z_]+$/),
      message: expect.stringMatching(/\S/),
    });
    expect(result.file).toBeUndefined();
  }
  return results;
}

describe('POST /files/bulk', () => {
  it('deletes, restores and purges, and says of each how it went', async () => {
    const files = await some(5);
    const items = [...ids(files), { id: NOBODY }, { id: 'nonsense' }];
    const wanted = items.map(({ id }, index): [string, boolean] => [id, index < 5]);
    expectResults(await bulk('delete', items), wanted);
    expect(await findByPath(server, files[0]?.path as string)).toBeUndefined();
    expectResults(await bulk('restore', items), wanted);
    for (const [index, file] of files.entries())
      await expectIntact(server, file, Buffer.from(`${file.path.split('/')[0]} ${index}`));
    expectResults(await bulk('purge', items), wanted);
    for (const { id } of files) expectRefused(await server.api('GET', `/files/${id}`), 404);
  });

  it('moves and copies, each to its own path', async () => {
    const files = await some(4);
    const to = unique('to');
    const copied = expectResults(
      await bulk(
        'copy',
        files.map(({ id }, index) => ({ id, path: `${to}/copy-${index}` })),
      ),
      files.map(({ id }) => [id, true]),
    );
    for (const [index, { file }] of copied.entries()) {
      expect(file?.path).toBe(`${to}/copy-${index}`);
      expect(file?.id).not.toBe(files[index]?.id);
    }
    const moved = expectResults(
      await bulk(
        'move',
        files.map(({ id }, index) => ({ id, path: `${to}/moved-${index}` })),
      ),
      files.map(({ id }) => [id, true]),
    );
    expect(moved.map(({ file }) => file?.path)).toEqual(files.map((_, index) => `${to}/moved-${index}`));
    expect(await listAll(server, { folder: to })).toHaveLength(8);
  });

  it('a path that is taken, or wrong, is that item’s error alone', async () => {
    const files = await some(3);
    const folder = files[0]?.path.split('/')[0];
    const [a, b, c] = files as [FileInfo, FileInfo, FileInfo];
    expectResults(
      await bulk('move', [
        { id: a.id, path: b.path },
        { id: c.id, path: `${folder}/free` },
      ]),
      [
        [a.id, false],
        [c.id, true],
      ],
    );
    const wrong = await bulk('move', [
      { id: a.id, path: '../out' },
      { id: b.id, path: `${folder}/free-2` },
    ]);
    // A path of the wrong form may be that item's error, or a fault of the whole request: then nothing is done.
    if (wrong.status === 200)
      expectResults(wrong, [
        [a.id, false],
        [b.id, true],
      ]);
    else {
      expectRefused(wrong, 400);
      expect((await server.api<FileInfo>('GET', `/files/${b.id}`)).data.path).toBe(b.path);
    }
  });

  it('two items that want one path: one gets it', async () => {
    const [a, b] = (await some(2)) as [FileInfo, FileInfo];
    const goal = `${unique('goal')}/x`;
    const { results } = expectData(
      await bulk('move', [
        { id: a.id, path: goal },
        { id: b.id, path: goal },
      ]),
      200,
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
  });

  it('the same file twice is no fault', async () => {
    const [file] = (await some(1)) as [FileInfo];
    const { results } = expectData(await bulk('delete', [{ id: file.id }, { id: file.id }]), 200);
    expect(results).toHaveLength(2);
    expect(results[0]?.ok || results[1]?.ok).toBe(true);
    expect((await listAll(server, { status: 'trashed' })).filter(({ id }) => id === file.id)).toHaveLength(1);
  });

  it('updates visibility, metadata and tags, each item its own', async () => {
    const [a, b] = (await some(2)) as [FileInfo, FileInfo];
    const items = [
      { id: a.id, tags: ['x'], metadata: { a: 1 } },
      { id: b.id, visibility: 'private' },
      { id: NOBODY, tags: [] },
    ];
    const results = expectResults(await bulk('update', items), [
      [a.id, true],
      [b.id, true],
      [NOBODY, false],
    ]);
    expect(results[0]?.file).toMatchObject({ tags: ['x'], metadata: { a: 1 } });
    expect(results[1]?.file).toMatchObject({ visibility: 'private' });
  });

  it('takes 1,000 items, and answers soon', async () => {
    const files = await some(200);
    const items = Array.from({ length: 1000 }, (_, index) => ({
      id: index < 200 ? (files[index]?.id as string) : `${NOBODY.slice(0, -4)}${index}`.slice(0, 31),
    }));
    const begun = performance.now();
    const { results } = expectData(await bulk('delete', items), 200);
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(results).toHaveLength(1000);
    expect(results.filter(({ ok }) => ok)).toHaveLength(200);
  });

  it('refuses 1,001, and does none of it', async () => {
    const [file] = (await some(1)) as [FileInfo];
    const items = Array.from({ length: 1001 }, () => ({ id: file.id }));
    expectRefused(await bulk('delete', items), 400, 413);
    expect((await server.api('GET', `/files/${file.id}`)).status).toBe(200);
  });

  it.each([
    ['an unknown action', { action: 'explode', items: [{ id: 'x' }] }],
    ['an action of the prototype', { action: '__proto__', items: [{ id: 'x' }] }],
    ['no action', { items: [{ id: 'x' }] }],
    ['no items', { action: 'delete' }],
    ['an empty list', { action: 'delete', items: [] }],
    ['items that are no list', { action: 'delete', items: { id: 'x' } }],
    ['an item without an id', { action: 'delete', items: [{}] }],
    ['an id that is no text', { action: 'delete', items: [{ id: { $ne: null } }] }],
    ['a move without a path', { action: 'move', items: [{ id: 'x' }] }],
    ['a list', []],
  ])('%s is refused', async (_, json) => {
    expectRefused(await server.api('POST', '/files/bulk', { json }), 400, 422);
  });

  it('is for those with a key', async () => {
    expectRefused(
      await server.api('POST', '/files/bulk', { json: { action: 'delete', items: [{ id: 'x' }] }, key: null }),
      401,
    );
  });
});
