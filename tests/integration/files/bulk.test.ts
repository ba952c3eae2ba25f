import { BulkFilesBody, BulkResult } from '@carcosa/contracts';
import type { Queryable } from '@carcosa/database';
import { FileService } from '@carcosa/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { createFileWorld, type FileWorld, listAll, pathsOf, type SeedFile } from './support.ts';

const MISSING = 'file_00000000000000000000000000';

describe.each(databaseKinds())('bulk changes, on %s', (kind) => {
  let world: FileWorld;

  beforeAll(async () => {
    world = await createFileWorld(kind);
  });
  afterAll(() => world.database.close());
  beforeEach(async () => {
    await world.db.query('delete from object_deletions');
    await world.db.query('delete from file_versions');
    await world.db.query('delete from files');
  });

  const bulk = async (body: unknown, service = world.service): Promise<BulkResult['results']> =>
    BulkResult.parse(await service.bulk(world.actor, BulkFilesBody.parse(body))).results;
  /** Each result in short: the path of the file, `ok` without one, or the error's code. */
  const short = (results: BulkResult['results']): string[] =>
    results.map(({ file, error }) => file?.path ?? error?.error ?? 'ok');
  const targets = (ids: readonly string[]) => ids.map((id) => ({ id }));

  it('gives each item its own result, in order, and applies the others', async () => {
    const [a, b, c] = (await world.seed([{ path: 'a' }, { path: 'b', deletedAt: 5 }, { path: 'c' }])) as string[];
    const [theirs] = await world.seed([{ path: 'theirs' }], await world.addProject());
    const items = targets([a, 'nonsense', MISSING, b, theirs, a, c] as string[]);
    const deleted = await bulk({ action: 'delete', items });
    expect(deleted.map(({ id }) => id)).toEqual(items.map(({ id }) => id));
    expect(short(deleted)).toEqual(['a', 'not_found', 'not_found', 'b', 'not_found', 'a', 'c']);
    expect(short(await bulk({ action: 'restore', items }))).toEqual([
      'a',
      'not_found',
      'not_found',
      'b',
      'not_found',
      'a',
      'c',
    ]);
    expect(pathsOf(await listAll(world, { sort: 'path' }))).toEqual(['a', 'b', 'c']);
    expect(short(await bulk({ action: 'purge', items }))).toEqual([
      'ok',
      'not_found',
      'not_found',
      'ok',
      'not_found',
      'ok',
      'ok',
    ]);
    expect(await listAll(world)).toEqual([]);
    const { rows } = await world.db.query('select path from files');
    expect(rows, 'the other project keeps its file').toEqual([{ path: 'theirs' }]);
  });

  it('restores one of several at the same path, the first', async () => {
    const seeds: SeedFile[] = [
      { path: 'x', deletedAt: 1 },
      { path: 'x', deletedAt: 2 },
      { path: 'taken', deletedAt: 3 },
      { path: 'taken' },
    ];
    const ids = await world.seed(seeds);
    const results = await bulk({ action: 'restore', items: targets([ids[1], ids[0], ids[2], ids[3]] as string[]) });
    expect(short(results)).toEqual(['x', 'path_taken', 'path_taken', 'taken']);
    expect(results[0]?.file?.id).toBe(ids[1]);
  });

  it('moves in order, also to places that earlier items have left', async () => {
    const [a, b, c, d, t] = (await world.seed([
      { path: '1' },
      { path: '2' },
      { path: '3' },
      { path: 'd' },
      { path: 't', deletedAt: 1 },
    ])) as string[];
    const results = await bulk({
      action: 'move',
      items: [
        { id: c, path: '4' },
        { id: b, path: '3' },
        { id: a, path: '2' },
        { id: d, path: '4' },
        { id: t, path: 'u' },
        { id: MISSING, path: 'v' },
      ],
    });
    expect(short(results)).toEqual(['4', '3', '2', 'path_taken', 'conflict', 'not_found']);
    expect(pathsOf(await listAll(world, { sort: 'path' }))).toEqual(['2', '3', '4', 'd']);
  });

  it('shifts a thousand names by one', async () => {
    const ids = await world.seed(Array.from({ length: 1000 }, (_, n) => ({ path: `img/${n}` })));
    const items = ids.map((id, n) => ({ id, path: `img/${n + 1}` }));
    expect(
      (await bulk({ action: 'move', items })).filter(({ ok }) => ok),
      'only the last one finds its place free',
    ).toHaveLength(1);
    expect((await bulk({ action: 'move', items: [...items].reverse() })).every(({ ok }) => ok)).toBe(true);
    expect((await world.service.get(world.actor, { id: ids[0] as string })).path).toBe('img/1');
  });

  it('applies several changes of one file one after the other', async () => {
    const [a] = (await world.seed([{ path: 'a' }, { path: 'taken' }])) as string[];
    const moved = await bulk({
      action: 'move',
      items: [
        { id: a, path: 'b' },
        { id: a, path: 'taken' },
        { id: a, path: 'c' },
      ],
    });
    expect(short(moved), 'each shows the file after all').toEqual(['c', 'path_taken', 'c']);
    const updated = await bulk({
      action: 'update',
      items: [{ id: a, tags: ['x'] }, { id: a, metadata: { m: 1 } }, { id: a }],
    });
    expect(updated.at(-1)?.file).toMatchObject({ path: 'c', tags: ['x'], metadata: { m: 1 } });
  });

  it('swaps nothing: neither place is free', async () => {
    const [a, b] = (await world.seed([{ path: 'a' }, { path: 'b' }])) as string[];
    expect(
      short(
        await bulk({
          action: 'move',
          items: [
            { id: a, path: 'b' },
            { id: b, path: 'a' },
          ],
        }),
      ),
    ).toEqual(['path_taken', 'path_taken']);
  });

  it('copies one file to many places, the first to each', async () => {
    const [a, t] = (await world.seed([
      { path: 'a', tags: ['t'] },
      { path: 't', deletedAt: 1 },
    ])) as string[];
    const results = await bulk({
      action: 'copy',
      items: [
        { id: a, path: 'b/1' },
        { id: a, path: 'b/1' },
        { id: a, path: 'a' },
        { id: a, path: 'b/2' },
        { id: t, path: 'b/3' },
        { id: MISSING, path: 'b/4' },
      ],
    });
    expect(short(results)).toEqual(['b/1', 'path_taken', 'path_taken', 'b/2', 'conflict', 'not_found']);
    expect(results[0]).toMatchObject({ id: a, file: { tags: ['t'], version: 1 } });
    expect(new Set(results.flatMap(({ file }) => file?.id ?? [])).size).toBe(2);
  });

  it('asks for the permission of the action', async () => {
    const ids = await world.seed([{ path: 'a' }]);
    const writer = world.keyOf(world.projectId, ['files:read', 'files:write']);
    const deleter = world.keyOf(world.projectId, ['files:read', 'files:delete']);
    const body = (action: string) => BulkFilesBody.parse({ action, items: targets(ids) });
    await expect(async () => world.service.bulk(writer, body('delete'))).rejects.toMatchObject({ code: 'forbidden' });
    await expect(async () => world.service.bulk(writer, body('purge'))).rejects.toMatchObject({ code: 'forbidden' });
    await expect(async () => world.service.bulk(deleter, body('restore'))).rejects.toMatchObject({ code: 'forbidden' });
    await expect(async () => world.service.bulk(deleter, body('update'))).rejects.toMatchObject({ code: 'forbidden' });
    await expect(async () =>
      world.service.bulk(world.actor, body('delete'), { projectId: await world.addProject() }),
    ).rejects.toMatchObject({ code: 'not_found' });
    expect(await listAll(world)).toHaveLength(1);
  });

  it('takes a thousand in a few statements, whatever the action', async () => {
    const ids = await world.seed(Array.from({ length: 1000 }, (_, n) => ({ path: `many/${n}` })));
    let statements = 0;
    const counted = (db: Queryable): Queryable => ({
      query: (text, values) => {
        statements += 1;
        return db.query(text, values);
      },
    });
    const service = new FileService({
      ...world.parts,
      db: counted(world.db),
      transaction: (work) => world.parts.transaction((tx) => work(counted(tx))),
    });
    const actions: [unknown, string][] = [
      [{ action: 'update', items: ids.map((id) => ({ id, tags: ['bulk'], metadata: { at: id } })) }, 'many/999'],
      [{ action: 'move', items: ids.map((id, n) => ({ id, path: `moved/${n}` })) }, 'moved/999'],
      [{ action: 'copy', items: ids.map((id, n) => ({ id, path: `copied/${n}` })) }, 'copied/999'],
      [{ action: 'delete', items: targets(ids) }, 'moved/999'],
      [{ action: 'restore', items: targets(ids) }, 'moved/999'],
      [{ action: 'purge', items: targets(ids) }, 'ok'],
    ];
    for (const [body, last] of actions) {
      statements = 0;
      const results = await bulk(body, service);
      expect(results.every(({ ok }) => ok)).toBe(true);
      expect(short(results).at(-1)).toBe(last);
      expect(statements).toBeLessThanOrEqual(5);
    }
    const files = await listAll(world, { limit: 1000 });
    expect(files).toHaveLength(1000);
    expect(files[0]).toMatchObject({ tags: ['bulk'] });
  });

  it('refuses more than a thousand, none, and fields that are not of the action', () => {
    const item = { id: MISSING };
    for (const body of [
      { action: 'delete', items: Array.from({ length: 1001 }, () => item) },
      { action: 'delete', items: [] },
      { action: 'delete', items: [{ id: MISSING, path: 'x' }] },
      { action: 'move', items: [{ id: MISSING, path: '../x' }] },
      { action: 'update', items: [{ id: MISSING, size: 7 }] },
      { action: 'explode', items: [item] },
    ]) {
      expect(BulkFilesBody.safeParse(body).success, JSON.stringify(body).slice(0, 80)).toBe(false);
    }
  });
});
