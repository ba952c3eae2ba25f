import { Folder } from '@carcosa/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { createFileWorld, type FileWorld } from './support.ts';

describe.each(databaseKinds())('folders, on %s', (kind) => {
  let world: FileWorld;

  beforeAll(async () => {
    world = await createFileWorld(kind);
  });
  afterAll(() => world.database.close());
  beforeEach(async () => {
    await world.db.query('delete from file_versions');
    await world.db.query('delete from files');
  });

  const folders = async (folder: string, limit = 100, actor = world.actor): Promise<Folder[]> => {
    const items: Folder[] = [];
    let cursor: string | undefined;
    do {
      const page = await world.service.listFolders(actor, { folder, limit, cursor });
      expect(page.items.length).toBeLessThanOrEqual(limit);
      expect(page.hasMore).toBe(page.nextCursor !== null);
      items.push(...page.items);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return items.map((item) => Folder.parse(item));
  };

  it('counts files and bytes of everything below each child', async () => {
    await world.seed([
      { path: 'top.txt', size: 1 },
      { path: 'a/1.txt', size: 10 },
      { path: 'a/b/2.txt', size: 20 },
      { path: 'a/b/c/d/3.txt', size: 30 },
      { path: 'a-b/4.txt', size: 40 },
      { path: 'a.b/5.txt', size: 50 },
      { path: 'a0/6.txt', size: 60 },
      { path: 'ä/7.txt', size: 70 },
      { path: 'a/trashed/8.txt', size: 80, deletedAt: 1 },
      { path: 'a/b/2.txt', size: 90, tenantId: 'ten_1' },
    ]);
    expect(await folders('')).toEqual([
      { path: 'a-b', name: 'a-b', files: 1, bytes: 40 },
      { path: 'a.b', name: 'a.b', files: 1, bytes: 50 },
      { path: 'a', name: 'a', files: 4, bytes: 150 },
      { path: 'a0', name: 'a0', files: 1, bytes: 60 },
      { path: 'ä', name: 'ä', files: 1, bytes: 70 },
    ]);
    expect(await folders('a')).toEqual([{ path: 'a/b', name: 'b', files: 3, bytes: 140 }]);
    expect(await folders('a/b')).toEqual([{ path: 'a/b/c', name: 'c', files: 1, bytes: 30 }]);
    expect(await folders('a/b/c/d')).toEqual([]);
    expect(await folders('none')).toEqual([]);
  });

  it('finds the folders between many files of their parent, in pages', async () => {
    await world.seed(Array.from({ length: 60 }, (_, n) => ({ path: n % 10 === 5 ? `d/${n}/file` : `d/${n}.txt` })));
    for (const limit of [1, 2, 5, 6, 7])
      expect((await folders('d', limit)).map(({ name }) => name)).toEqual(['15', '25', '35', '45', '5', '55']);
    const other = (await world.service.listFolders(world.actor, { folder: 'd', limit: 1 })).nextCursor as string;
    await expect(world.service.listFolders(world.actor, { folder: '', limit: 1, cursor: other })).rejects.toMatchObject(
      { code: 'invalid_request' },
    );
  });

  it('agrees with counting one by one, for any tree and page size', async () => {
    // A small alphabet around "/" in the order of bytes, and letters of one to four bytes: neighbours that a range might swallow.
    const segment = fc
      .string({ unit: fc.constantFrom('-', '.', '0', 'a', '~', 'é', '\u{10ffff}', '👩'), minLength: 1, maxLength: 3 })
      .filter((name) => !/^\.\.?$/.test(name));
    const tree = fc.uniqueArray(
      fc.array(segment, { minLength: 1, maxLength: 5 }).map((path) => path.join('/')),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(tree, fc.integer({ min: 1, max: 6 }), async (paths, limit) => {
        const project = await world.addProject();
        const actor = world.keyOf(project, ['files:read']);
        await world.seed(
          paths.map((path, n) => ({ path, size: n + 1 })),
          project,
        );
        const parents = new Set([
          '',
          ...paths.flatMap((path) => path.split('/').map((_, depth, all) => all.slice(0, depth).join('/'))),
        ]);
        for (const parent of parents)
          expect(await folders(parent, limit, actor), parent).toEqual(counted(paths, parent));
      }),
      { numRuns: 40 },
    );
  });

  it('shows nothing of other projects', async () => {
    await world.seed([{ path: 'a/b' }], await world.addProject());
    expect(await folders('')).toEqual([]);
    await expect(folders('', 10, world.keyOf(world.projectId, ['files:write']))).rejects.toMatchObject({
      code: 'forbidden',
    });
  });
});

function counted(paths: readonly string[], parent: string): Folder[] {
  const prefix = parent === '' ? '' : `${parent}/`;
  const found = new Map<string, Folder>();
  for (const [n, path] of paths.entries()) {
    const [name, ...below] = path.startsWith(prefix) ? path.slice(prefix.length).split('/') : [];
    if (name === undefined || below.length === 0) continue;
    const folder = found.get(name) ?? { path: prefix + name, name, files: 0, bytes: 0 };
    found.set(name, { ...folder, files: folder.files + 1, bytes: folder.bytes + n + 1 });
  }
  return [...found.values()].sort((a, b) => Buffer.compare(Buffer.from(`${a.name}/`), Buffer.from(`${b.name}/`)));
}
