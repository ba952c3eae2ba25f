import type { BulkFilesBody, File } from '@carcosa/contracts';
import { Listener } from '@carcosa/database';
import type { FileId } from '@carcosa/kernel';
import { CarcosaError, silentLogger } from '@carcosa/kernel';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../support/clock.ts';
import { databaseKinds } from '../../support/database.ts';
import { addVersion, createFileWorld, type FileWorld, listAll, pathsOf } from './support.ts';

/** How often each race is run: who comes first differs. */
const ROUNDS = 25;

describe.each(databaseKinds())('changes at the same time, on %s', (kind) => {
  let world: FileWorld;

  beforeAll(async () => {
    world = await createFileWorld(kind, { poolSize: 16 });
  });
  afterAll(() => world.database.close());
  beforeEach(async () => {
    await world.db.query('delete from object_deletions');
    await world.db.query('delete from file_versions');
    await world.db.query('delete from files');
    await world.db.query('delete from objects');
  });
  afterEach(() => assertWhole(world));

  const one = async (path: string, more: object = {}): Promise<FileId> =>
    (await world.seed([{ path, ...more }]))[0] as FileId;
  const ids = (n: number, path: (n: number) => string, more: object = {}) =>
    world.seed(Array.from({ length: n }, (_, index) => ({ path: path(index), ...more })));

  it('two or twenty moves to one path: one gets it', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const movers = await ids(20, (n) => `${round}/${n}`);
      const results = await Promise.allSettled(
        movers.map((id) => world.service.update(world.actor, { id }, { path: `${round}/goal` })),
      );
      expect(codesOf(results)).toEqual([...Array(19).fill('path_taken'), 'ok'].sort());
    }
  });

  it('restores to one path from the trash: one gets it', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const trashed = await ids(8, () => `goal ${round}`, { deletedAt: 1 });
      const results = await Promise.allSettled(trashed.map((id) => world.service.restore(world.actor, { id })));
      expect(codesOf(results)).toEqual(['ok', ...Array(7).fill('path_taken')]);
    }
  });

  it('a move, a copy and a restore to one path: one gets it', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const [a, b] = (await ids(2, (n) => `${round}/${n}`)) as [FileId, FileId];
      const trashed = await one(`${round}/goal`, { deletedAt: 1 });
      const results = await Promise.allSettled([
        world.service.update(world.actor, { id: a }, { path: `${round}/goal` }),
        world.service.copy(world.actor, { id: b }, { path: `${round}/goal` }),
        world.service.restore(world.actor, { id: trashed }),
      ]);
      expect(codesOf(results)).toEqual(['ok', 'path_taken', 'path_taken']);
      expect(await listAll(world, { folder: `${round}`, q: 'goal' })).toHaveLength(1);
    }
  });

  it('copies while the source is purged: the copy has its bytes, or there is no copy', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const id = await one(`source ${round}`, { size: 9 });
      const [purged, ...copied] = await Promise.allSettled([
        world.service.purge(world.actor, { id }),
        ...Array.from({ length: 4 }, (_, n) => world.service.copy(world.actor, { id }, { path: `copy ${round}/${n}` })),
      ]);
      expect(purged?.status).toBe('fulfilled');
      for (const result of copied)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'not_found' });
      const made = copied.filter(({ status }) => status === 'fulfilled').length;
      expect(await listAll(world, { folder: `copy ${round}` })).toHaveLength(made);
      const { rows } = await world.db.query<{ n: number }>(
        'select count(*)::int as n from object_deletions where size = 9',
      );
      // Each round's object is either due for removal, or alive because of copies.
      expect(rows[0]?.n, 'deletions so far').toBe(round + 1 - (await roundsWithCopies(round)));
    }

    async function roundsWithCopies(last: number): Promise<number> {
      let alive = 0;
      for (let round = 0; round <= last; round++)
        if ((await listAll(world, { folder: `copy ${round}` })).length > 0) alive++;
      return alive;
    }
  });

  it('a purge of all that share an object gives its bytes up exactly once', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const id = await one(`shared ${round}`, { size: 3 });
      const copies = await Promise.all(
        Array.from({ length: 5 }, (_, n) => world.service.copy(world.actor, { id }, { path: `${round}/${n}` })),
      );
      await Promise.all(
        [id, ...copies.map((copy) => copy.id)].map((each) => world.service.purge(world.actor, { id: each })),
      );
      const { rows } = await world.db.query<{ n: number }>('select count(*)::int as n from object_deletions');
      expect(rows[0]?.n).toBe(round + 1);
    }
  });

  it('trash, restore, purge and edit of one file end in one of their states', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const id = await one(`file ${round}`);
      const results = await Promise.allSettled([
        world.service.trash(world.actor, { id }),
        world.service.restore(world.actor, { id }),
        world.service.update(world.actor, { id }, { tags: ['t'] }),
        world.service.restoreVersion(world.actor, { id, version: 1 }),
        ...(round % 2 ? [world.service.purge(world.actor, { id })] : []),
      ]);
      for (const code of codesOf(results)) expect(['ok', 'conflict', 'not_found']).toContain(code);
      const left = [...(await listAll(world)), ...(await listAll(world, { status: 'trashed' }))].filter(
        (file) => file.id === id,
      );
      expect(left).toHaveLength(round % 2 ? 0 : 1);
    }
  });

  it('versions restored at once all count, each with a number of its own', async () => {
    const id = await one('versions', { size: 1 });
    await addVersion(world, id, 2);
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => world.service.restoreVersion(world.actor, { id, version: 1 + (n % 2) })),
    );
    const { items } = await world.service.listVersions(world.actor, { id, limit: 100 });
    expect(items.map(({ version }) => version)).toEqual(items.map((_, n) => items.length - n));
    expect(items[0]).toMatchObject({ current: true });
    expect((await world.service.get(world.actor, { id })).size).toBe(items[0]?.size);
  });

  it('bulk requests over the same files, in opposite order, all end', async () => {
    for (let round = 0; round < 8; round++) {
      const files = await ids(100, (n) => `${round}/${n}`);
      const items = files.map((id) => ({ id }));
      const reversed = [...items].reverse();
      const bodies: BulkFilesBody[] = [
        { action: 'delete', items },
        { action: 'restore', items: reversed },
        { action: 'update', items: reversed.map((item) => ({ ...item, tags: ['x'] })) },
        { action: 'move', items: items.map((item, n) => ({ ...item, path: `${round}/moved/${n}` })) },
        { action: 'copy', items: reversed.map((item, n) => ({ ...item, path: `${round}/moved/${n}` })) },
        { action: 'purge', items: reversed.slice(50) },
      ];
      const answers = await Promise.all(bodies.map((body) => world.service.bulk(world.actor, body)));
      for (const { results } of answers) {
        for (const { error } of results)
          expect(['path_taken', 'conflict', 'not_found', undefined]).toContain(error?.error);
      }
      expect(answers.at(-1)?.results.every(({ ok }) => ok)).toBe(true);
    }
  });

  it('tells every process which keys changed, when it is committed and not before', async () => {
    const listener = new Listener({ connectionString: world.database.connectionString, logger: silentLogger });
    try {
      const told: string[] = [];
      await listener.subscribe('carcosa_files', {
        notified: (payload) => told.push(...(payload as { keys: string[] }).keys),
      });
      const heard = async (change: () => Promise<File>): Promise<void> => {
        told.length = 0;
        const { key } = await change();
        await until(() => told.length > 0, { what: 'a notification' });
        expect(told).toEqual([key]);
      };
      const id = await one('told');
      await addVersion(world, id, 2);
      await heard(() => world.service.update(world.actor, { id }, { visibility: 'public' }));
      await heard(() => world.service.restoreVersion(world.actor, { id, version: 1 }));
      await heard(() => world.service.trash(world.actor, { id }));
      await heard(() => world.service.restore(world.actor, { id }));
      await one('taken');
      await expect(world.service.update(world.actor, { id }, { path: 'taken' })).rejects.toMatchObject({
        code: 'path_taken',
      });
      await world.service.copy(world.actor, { id }, { path: 'copied' });
      await heard(() => world.service.purge(world.actor, { id }));
      // A thousand keys are more than one notification holds.
      const many = await ids(1000, (n) => `many/${n}`);
      told.length = 0;
      const { results } = await world.service.bulk(world.actor, {
        action: 'delete',
        items: many.map((each) => ({ id: each })),
      });
      await until(() => told.length === 1000, { what: 'all keys' });
      expect([...told].sort()).toEqual(results.map(({ file }) => file?.key).sort());
    } finally {
      await listener.close();
    }
  });
});

const codesOf = (results: readonly PromiseSettledResult<File>[]): string[] =>
  results
    .map((result) =>
      result.status === 'fulfilled'
        ? 'ok'
        : result.reason instanceof CarcosaError
          ? result.reason.code
          : String(result.reason),
    )
    .sort();

/** What must hold after anything: no reference without an object, no object without a reference that is not due, one file a path. */
async function assertWhole({ db }: FileWorld): Promise<void> {
  const { rows } = await db.query(`
    select 'file without its version' as what, f.id from files f
      where not exists (select from file_versions v where v.file_id = f.id and v.version = f.version and v.object_id = f.object_id)
    union all select 'object that nobody refers to', o.id from objects o
      where not exists (select from file_versions v where v.object_id = o.id) and not exists (select from files f where f.object_id = o.id)
    union all select 'object that is alive and due for removal', d.id from object_deletions d join objects o on o.id = d.id
    union all select 'facts that are not those of the object', f.id from files f join objects o on o.id = f.object_id
      where (f.size, f.content_type, f.bucket_id) is distinct from (o.size, o.content_type, o.bucket_id)
    union all select 'path that is not folder and name', f.id from files f
      where f.path <> case f.folder when '' then f.name else f.folder || '/' || f.name end or f.name like '%/%'`);
  expect(rows).toEqual([]);
  const { rows: twins } = await db.query(
    'select path from files where deleted_at is null group by project_id, tenant_id, path having count(*) > 1',
  );
  expect(pathsOf(twins as { path: string }[])).toEqual([]);
}
