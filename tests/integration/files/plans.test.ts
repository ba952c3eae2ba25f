import type { FileSort } from '@carcosa/contracts';
import { type FileListing, listFilesQuery } from '@carcosa/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { explain as explainQuery, type PlanNode, rowsRead } from '../../support/plans.ts';
import { createFileWorld, type FileWorld, PUBLIC_URL } from './support.ts';

const FILES = 200_000;
const START = Date.UTC(2026, 0, 1);

/**
 * How the database goes about each question, on a table of 200,000 files: never the whole table, and no sorting where an index has
 * the order. Numbers of rows read are what is promised; times depend on the machine.
 */
describe.each(databaseKinds())('plans of the list of files, on %s', (kind) => {
  let world: FileWorld;

  beforeAll(async () => {
    world = await createFileWorld(kind);
    await seedMany(world);
  }, 300_000);
  afterAll(() => world.database.close());

  const query = (listing: Partial<FileListing>) =>
    listFilesQuery(
      { projectId: world.projectId, status: 'live', sort: '-createdAt', limit: 50, ...listing },
      PUBLIC_URL,
    );

  const explain = (query: { text: string; values: unknown[] }): Promise<PlanNode[]> => explainQuery(world.db, query);
  const kinds = (plan: PlanNode[]): string[] => plan.map((node) => node['Node Type']);
  const indexes = (plan: PlanNode[]): string[] => plan.flatMap((node) => node['Index Name'] ?? []);

  const middle = { value: START + (FILES / 2) * 1000, id: 'file_m' };
  const ordered: [string, Partial<FileListing>, string][] = [
    ['the first page', {}, 'files_created'],
    ['a page in the middle', { after: middle }, 'files_created'],
    ['oldest first', { sort: 'createdAt' }, 'files_created'],
    ['last changed', { sort: '-updatedAt', after: middle }, 'files_updated'],
    ['by size', { sort: '-size', after: { value: 5000, id: 'file_m' } }, 'files_size'],
    ['by name', { sort: 'name', after: { value: 'img_5', id: 'file_m' } }, 'files_name'],
    ['a folder', { folder: 'photos/7' }, 'files_folder'],
    ['a folder further on', { folder: 'photos/7', after: middle }, 'files_folder'],
    ['a type that is rare', { type: 'video/mp4' }, 'files_type'],
    ['a type that is not there', { type: 'video/webm' }, 'files_type'],
    ['an uploader who is rare', { uploader: 'key_rare' }, 'files_uploader'],
    ['an uploader who is not there', { uploader: 'key_none' }, 'files_uploader'],
    ['the trash', { status: 'trashed' }, 'files_trash_created'],
    ['a page of the trash', { status: 'trashed', after: middle }, 'files_trash_created'],
  ];
  it.each(ordered)('%s comes from an index in order', async (_name, listing, index) => {
    const plan = await explain(query(listing));
    expect(indexes(plan)).toEqual([index]);
    expect(kinds(plan)).not.toContain('Sort');
    expect(rowsRead(plan)).toBeLessThanOrEqual(51 + 1);
  });

  it('by path comes from the index of paths, which sorts only twins of different tenants', async () => {
    const plan = await explain(query({ sort: 'path', after: { value: 'photos/5/', id: '' } }));
    expect(indexes(plan)).toEqual(['files_path']);
    expect(kinds(plan)).not.toContain('Sort');
    expect(rowsRead(plan)).toBeLessThanOrEqual(60);
  });

  // What no index has in order is found by the condition that is rarest, or met on the way when it is common.
  const filtered: [string, Partial<FileListing>, number][] = [
    ['a common type', { type: 'image/png' }, 400],
    ['a common family', { type: 'image/*' }, 200],
    ['a rare family', { type: 'video/*' }, 400],
    ['a common tag', { tag: 'red' }, 2_000],
    ['a rare tag', { tag: 'rare' }, 1_000],
    ['a tag that is not there', { tag: 'none' }, 200],
    ['a part that all names have', { nameContains: 'IMG' }, 100],
    ['a part that one name has', { nameContains: '_123456.' }, 400],
    ['a part that no name has', { nameContains: 'nowhere' }, 100],
    ['a range of sizes', { minSize: 40, maxSize: 45 }, 3_000],
    ['all sizes above', { minSize: 100 }, 200],
    ['a time', { createdAfter: START, createdBefore: START + 60_000 }, 200],
    ['a small folder with what is below', { folder: 'photos/7', recursive: true }, 1_000],
    ['a large folder with what is below', { folder: 'photos', recursive: true }, 200],
    ['a folder that is not there', { folder: 'none', recursive: true }, 100],
    ['a folder by name', { folder: 'photos/7', sort: 'name' }, 1_000],
    ['an uploader of almost all', { uploader: 'key_1' }, 200],
    ['several conditions', { type: 'image/*', tag: 'red', minSize: 5_000, folder: 'photos', recursive: true }, 10_000],
    ['several conditions that exclude each other', { type: 'video/mp4', tag: 'rare', nameContains: '_1234' }, 2_000],
    ['the trash by name', { status: 'trashed', sort: 'name' }, 10_000],
  ];
  it.each(filtered)('%s is found without reading the table', async (_name, listing, most) => {
    for (const sort of [listing.sort ?? '-createdAt', listing.sort ?? 'size'] as FileSort[]) {
      const plan = await explain(query({ ...listing, sort }));
      expect(kinds(plan)).not.toContain('Seq Scan');
      expect(indexes(plan).length).toBeGreaterThan(0);
      if (sort === '-createdAt') expect(rowsRead(plan)).toBeLessThanOrEqual(most);
    }
  });

  it('prepares plans that hold for any page', async () => {
    const connection = await world.database.pool.connect();
    try {
      const { text, values } = query({ after: middle });
      // From the sixth time on a prepared statement may keep one plan for all values.
      for (let n = 0; n < 8; n++) await connection.query({ name: 'page', text, values });
      const { rows } = await connection.query<{ generic: number; custom: number }>(
        `select generic_plans::int as generic, custom_plans::int as custom from pg_prepared_statements where name = 'page'`,
      );
      expect(rows[0]?.generic, 'planning is saved').toBeGreaterThan(0);
    } finally {
      connection.release();
    }
  });
});

/** 200,000 files, one a second: sizes below 10,000, 401 folders, 2 % in the trash, rare and common values. */
async function seedMany({ db, projectId, bucketId }: FileWorld): Promise<void> {
  await db.query(
    `insert into objects (id, project_id, bucket_id, storage_key, size, content_type, created_at)
     select 'obj_' || n, $1, $2, 'k' || n, 1, 'image/png', now() from generate_series(1, 100) n`,
    [projectId, bucketId],
  );
  // Filled first and indexed afterwards, which is faster; the search of names keeps its index with its own statistics.
  const { rows: indexes } = await db.query<{ name: string; definition: string }>(
    `select indexname as name, indexdef as definition from pg_indexes where tablename = 'files' and indexname not in ('files_pkey', 'files_name_search')`,
  );
  for (const { name } of indexes) await db.query(`drop index ${name}`);
  // In parts: a server that is slow still ends each within its time limit.
  for (let from = 0; from < FILES; from += 20_000)
    await db.query(SEED, [projectId, bucketId, from, Math.min(from + 20_000, FILES) - 1, START]);
  for (const { definition } of indexes) await db.query(definition);
  await db.query('vacuum analyze files');
}

const SEED = `
insert into files (id, project_id, key, path, folder, name, visibility, tags, uploaded_by, version, object_id, bucket_id, size, content_type,
  created_at, updated_at, deleted_at)
select 'file_' || md5(n::text), $1, md5(n::text), folder || '/' || name, folder, name, 'private',
  case when n % 10 = 0 then '{red,green}'::text[] when n % 1000 = 1 then '{rare}' else '{}' end,
  case when n % 20000 = 7 then 'key_rare' else 'key_1' end, 1, 'obj_' || (1 + n % 100), $2, (n * 7919) % 10000,
  case when n % 2000 = 3 then 'video/mp4' when n % 3 = 0 then 'image/png' when n % 3 = 1 then 'image/jpeg' else 'application/pdf' end,
  to_timestamp($5::float8 / 1000 + n), to_timestamp($5::float8 / 1000 + n), case when n % 50 = 9 then now() end
from (select n, 'photos/' || (n % 401) as folder, 'img_' || (n * 31 % 99991) || '_' || n || '.jpg' as name from generate_series($3::int, $4::int) n) numbered`;
