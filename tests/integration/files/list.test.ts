import { FILE_SORTS, type File, type FileSort } from '@carcosa/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { createFileWorld, type FileWorld, listAll, listPage, PUBLIC_URL, pathsOf, type SeedFile } from './support.ts';

const SORTS = FILE_SORTS.flatMap((field): FileSort[] => [field, `-${field}`]);
const DAY = 24 * 3600_000;

describe.each(databaseKinds())('the list of files, on %s', (kind) => {
  let world: FileWorld;

  beforeAll(async () => {
    world = await createFileWorld(kind);
  });
  afterAll(() => world.database.close());
  beforeEach(async () => {
    await world.db.query('delete from file_versions');
    await world.db.query('delete from files');
  });

  it('shows a file as the contract has it', async () => {
    const [id] = await world.seed([
      {
        path: 'a/ü "quoted" \\ name.txt',
        size: 7,
        tags: ['x"y', 'ä'],
        metadata: { deep: { a: [1, null, 'é'] } },
        uploadedBy: 'key_1',
      },
    ]);
    const { items } = await listPage(world);
    const one = await world.service.get(world.actor, { id: id as string });
    expect([one]).toEqual(items.map((item) => ({ ...item, facts: null, madeOf: null, quarantine: null })));
    expect(items[0]).toMatchObject({
      id,
      path: 'a/ü "quoted" \\ name.txt',
      name: 'ü "quoted" \\ name.txt',
      size: 7,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      md5: null,
      url: `${PUBLIC_URL}/f/${items[0]?.key}`,
      tags: ['x"y', 'ä'],
      metadata: { deep: { a: [1, null, 'é'] } },
      tenantId: null,
      uploadedBy: 'key_1',
      createdAt: '2026-01-01T00:00:00.000Z',
      deletedAt: null,
    });
  });

  it('has an empty page for nothing', async () => {
    expect(await listPage(world)).toEqual({ items: [], nextCursor: null, hasMore: false });
  });

  it('says whether there is more without a page that turns out empty', async () => {
    await world.seed([{ path: 'a' }, { path: 'b' }, { path: 'c' }]);
    expect(await listPage(world, { limit: 3 })).toMatchObject({ hasMore: false, nextCursor: null });
    const first = await listPage(world, { limit: 2, sort: 'name' });
    expect(pathsOf(first.items)).toEqual(['a', 'b']);
    expect(first.hasMore).toBe(true);
    const second = await listPage(world, { limit: 2, sort: 'name', cursor: first.nextCursor as string });
    expect(pathsOf(second.items)).toEqual(['c']);
    expect(second).toMatchObject({ hasMore: false, nextCursor: null });
  });

  // The property that makes pages worth having: together they are the whole list, in order, nothing twice, nothing missing.
  it('gives in pages exactly what sorting everything gives, for any data, order and page size', async () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).filter(isAllowed);
    const file = fc.record({
      path: fc.array(name, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/')),
      size: fc.integer({ min: 0, max: 3 }),
      createdAt: fc.integer({ min: 0, max: 3 }).map((days) => world.clock.now() + days),
      isTrashed: fc.boolean(),
    });
    const files = fc.uniqueArray(file, { selector: (item) => item.path, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(files, fc.constantFrom(...SORTS), fc.integer({ min: 1, max: 8 }), async (seeds, sort, limit) => {
        const project = await world.addProject();
        const actor = world.keyOf(project, ['files:read']);
        await world.seed(
          seeds.map(({ isTrashed, ...seed }) => ({ ...seed, deletedAt: isTrashed ? world.clock.now() : null })),
          project,
        );
        for (const status of ['live', 'trashed']) {
          const all = (await listPage(world, { limit: 1000, status }, actor)).items;
          expect(pathsOf(all).sort()).toEqual(
            seeds
              .filter((seed) => seed.isTrashed === (status === 'trashed'))
              .map((seed) => seed.path)
              .sort(),
          );
          expect(pathsOf(await listAll(world, { limit, sort, status }, actor))).toEqual(pathsOf(sorted(all, sort)));
        }
      }),
      { numRuns: 60 },
    );
  });

  describe('with filters', () => {
    const now = Date.UTC(2026, 0, 1);
    const seeds: SeedFile[] = [
      { path: 'top.txt', contentType: 'text/plain', size: 10 },
      {
        path: 'photos/Été 100%.png',
        contentType: 'image/png',
        size: 20,
        tags: ['summer', 'red'],
        uploadedBy: 'key_a',
        createdAt: now + DAY,
      },
      {
        path: 'photos/2026/IMG_1.jpg',
        contentType: 'image/jpeg',
        size: 30,
        tags: ['red'],
        uploadedBy: 'key_a',
        createdAt: now + 2 * DAY,
      },
      {
        path: 'photos/2026/deep/er/clip.mp4',
        contentType: 'video/mp4',
        size: 40,
        uploadedBy: 'key_b',
        createdAt: now + 3 * DAY,
      },
      { path: 'photos-old/x.png', contentType: 'image/png', size: 50, tags: ['Red'] },
      { path: 'photos/imgX1.svg', contentType: 'image/svg+xml', size: 60, deletedAt: now },
    ];
    const cases: [string, Record<string, string | number>, string[]][] = [
      ['the top folder', { folder: '' }, ['top.txt']],
      ['a folder', { folder: 'photos' }, ['photos/Été 100%.png']],
      ['a folder written with a slash', { folder: 'photos/' }, ['photos/Été 100%.png']],
      [
        'a folder and what is below',
        { folder: 'photos', recursive: 'true' },
        ['photos/2026/IMG_1.jpg', 'photos/2026/deep/er/clip.mp4', 'photos/Été 100%.png'],
      ],
      [
        'everything',
        { folder: '', recursive: 'true' },
        ['photos-old/x.png', 'photos/2026/IMG_1.jpg', 'photos/2026/deep/er/clip.mp4', 'photos/Été 100%.png', 'top.txt'],
      ],
      ['a folder that is not there', { folder: 'photo' }, []],
      ['a type', { type: 'image/png' }, ['photos-old/x.png', 'photos/Été 100%.png']],
      ['a type in capitals', { type: 'IMAGE/PNG' }, ['photos-old/x.png', 'photos/Été 100%.png']],
      ['a family of types', { type: 'image/*' }, ['photos-old/x.png', 'photos/2026/IMG_1.jpg', 'photos/Été 100%.png']],
      ['a smallest and largest size', { minSize: 20, maxSize: 30 }, ['photos/2026/IMG_1.jpg', 'photos/Été 100%.png']],
      [
        'a time from which on',
        { createdAfter: '2026-01-03T00:00:00Z' },
        ['photos/2026/IMG_1.jpg', 'photos/2026/deep/er/clip.mp4'],
      ],
      [
        'a time before which',
        { createdBefore: '2026-01-03T01:00:00+01:00' },
        ['photos-old/x.png', 'photos/Été 100%.png', 'top.txt'],
      ],
      [
        'times that no calendar has',
        { createdAfter: '0000-01-01T00:00:00Z', createdBefore: '9999-12-31T23:59:59.999999Z', folder: '' },
        ['top.txt'],
      ],
      ['a tag, exactly', { tag: 'red' }, ['photos/2026/IMG_1.jpg', 'photos/Été 100%.png']],
      ['an uploader', { uploader: 'key_b' }, ['photos/2026/deep/er/clip.mp4']],
      ['a part of the name in any case', { q: 'img' }, ['photos/2026/IMG_1.jpg']],
      ['a percent sign that means itself', { q: '0%' }, ['photos/Été 100%.png']],
      ['an underscore that means itself', { q: 'g_' }, ['photos/2026/IMG_1.jpg']],
      ['a backslash that means itself', { q: '\\' }, []],
      ['the trash', { status: 'trashed' }, ['photos/imgX1.svg']],
      ['the trash by name', { status: 'trashed', q: 'X1' }, ['photos/imgX1.svg']],
      [
        'several at once',
        { folder: 'photos', recursive: '1', type: 'image/*', tag: 'red', uploader: 'key_a', minSize: 25, q: 'jpg' },
        ['photos/2026/IMG_1.jpg'],
      ],
    ];

    it.each(cases)('finds %s', async (_name, query, expected) => {
      await world.seed(seeds);
      for (const sort of SORTS) {
        const found = await listAll(world, { ...query, sort, limit: 2 });
        expect(pathsOf(found).sort()).toEqual([...expected].sort());
        expect(pathsOf(found)).toEqual(pathsOf(sorted(found, sort)));
      }
    });
  });

  it('finds names in any case beyond ASCII where the locale of the database knows it', async () => {
    const { rows } = await world.db.query<{ lower: string }>(`select lower('É' collate "default") as lower`);
    await world.seed([{ path: 'ÉTÉ.png' }]);
    expect(pathsOf(await listAll(world, { q: 'été' }))).toEqual(rows[0]?.lower === 'é' ? ['ÉTÉ.png'] : []);
    // The embedded server's does, always.
    if (kind === 'embedded') expect(rows[0]?.lower).toBe('é');
  });

  it('refuses cursors that are damaged, of another order or of the trash', async () => {
    await world.seed([{ path: 'a' }, { path: 'b' }]);
    const cursor = (await listPage(world, { limit: 1, sort: 'name' })).nextCursor as string;
    const forged = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const refused: Record<string, string>[] = [
      { sort: 'name', cursor: 'x' },
      { sort: 'name', cursor: cursor.slice(2) },
      { sort: '-name', cursor },
      { sort: 'size', cursor },
      { sort: 'name', status: 'trashed', cursor },
      { sort: 'name', cursor: forged(null) },
      { sort: 'name', cursor: forged(['files live name', 'a\u0000', 'x']) },
      { sort: 'name', cursor: forged(['files live name', 7, 'x']) },
      { sort: 'name', cursor: forged(['files live name', '\ud800', 'x']) },
      { sort: 'size', cursor: forged(['files live size', 1e300, 'x']) },
      { sort: 'size', cursor: forged(['files live size', '1', 'x']) },
      { sort: 'createdAt', cursor: forged(['files live createdAt', 1]) },
      { sort: 'createdAt', cursor: forged(['files live createdAt', -Number.MAX_SAFE_INTEGER, 'x']) },
    ];
    for (const query of refused)
      await expect(listPage(world, query), JSON.stringify(query)).rejects.toMatchObject({ code: 'invalid_request' });
    // One that was made up well is only another place to begin.
    const far = forged(['files live createdAt', Number.MAX_SAFE_INTEGER, 'x']);
    expect(await listPage(world, { sort: 'createdAt', cursor: far })).toMatchObject({ items: [] });
  });

  it('shows nothing of other projects, and needs the permission', async () => {
    const other = await world.addProject();
    await world.seed([{ path: 'theirs' }], other);
    const [mine] = await world.seed([{ path: 'mine' }]);
    expect(pathsOf(await listAll(world))).toEqual(['mine']);
    await expect(listPage(world, { projectId: other })).rejects.toMatchObject({ code: 'not_found' });
    const stranger = world.keyOf(other, ['admin']);
    await expect(world.service.get(stranger, { id: mine as string })).rejects.toMatchObject({ code: 'not_found' });
    await expect(listPage(world, {}, world.keyOf(world.projectId, ['files:write']))).rejects.toMatchObject({
      code: 'forbidden',
    });
  });
});

/** As {@link pathProblem} has it, in short. */
function isAllowed(name: string): boolean {
  return (
    !/[\p{Cc}/\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u.test(name) &&
    name !== '.' &&
    name !== '..' &&
    name.isWellFormed()
  );
}

/** The order that PostgreSQL has, made a second time: text by bytes of UTF-8, and ties by id. */
function sorted(files: readonly File[], sort: FileSort): File[] {
  const field = sort.replace('-', '') as (typeof FILE_SORTS)[number];
  const sign = sort.startsWith('-') ? -1 : 1;
  const compare = (a: string | number, b: string | number): number =>
    typeof a === 'number' && typeof b === 'number'
      ? a - b
      : Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
  return [...files].sort((a, b) => sign * (compare(a[field], b[field]) || compare(a.id, b.id)));
}
