import { findFileKey, findServedFile, type Queryable } from '@carcosa/database';
import type { FileId } from '@carcosa/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { createFileWorld, type FileWorld } from '../files/support.ts';

const FILES = 5_000;

interface Node {
  'Node Type': string;
  'Index Name'?: string;
  'Actual Rows'?: number;
  Plans?: Node[];
}

/** What a download asks the database when nothing is remembered: a few rows by unique indexes, however many files there are. */
describe.each(databaseKinds())('looking up what is served, on %s', (kind) => {
  let world: FileWorld;
  let ids: FileId[];
  beforeAll(async () => {
    world = await createFileWorld(kind);
    ids = await world.seed(Array.from({ length: FILES }, (_, i) => ({ path: `f${i}` })));
    await world.db.query('analyze');
  });
  afterAll(() => world.database.close());

  /** The plan of the one statement that `ask` runs. */
  async function planOf(ask: (db: Queryable) => Promise<unknown>): Promise<Node[]> {
    let statement: { text: string; values?: unknown[] } | undefined;
    const listening = {
      query: async (asked: typeof statement) => {
        statement = asked;
        return { rows: [] };
      },
    };
    await ask(listening as unknown as Queryable);
    const { rows } = await world.db.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(
      `explain (analyze, timing off, format json) ${statement?.text}`,
      statement?.values,
    );
    const nodes = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(nodes)];
    return nodes((rows[0] as { 'QUERY PLAN': [{ Plan: Node }] })['QUERY PLAN'][0].Plan);
  }

  it.each([
    ['the present version', null],
    ['a version', 1],
  ])('finds %s by its indexes', async (_what, version) => {
    const id = ids[FILES / 2] as FileId;
    const key = (await findFileKey(world.db, id))?.key ?? '';
    const found = await findServedFile(world.db, key, version);
    expect(found).toMatchObject({ id, key, version: 1, size: 1, delivery: 'stream', signingKeyVersion: 1 });
    const plan = await planOf((db) => findServedFile(db, key, version));
    const indexes = plan.flatMap((node) => node['Index Name'] ?? []);
    expect(indexes).toEqual(expect.arrayContaining(['files_key', 'file_versions_file_id_version_pk', 'objects_pkey']));
    for (const node of plan) expect(node['Actual Rows'], node['Node Type']).toBeLessThanOrEqual(1);
  });

  it('finds nothing of what is in the trash, does not exist, or never had that version', async () => {
    const [trashed] = await world.seed([{ path: 'trashed', deletedAt: world.clock.now() }]);
    expect(await findFileKey(world.db, trashed as FileId)).toBeNull();
    const { rows } = await world.db.query<{ key: string }>('select key from files where id = $1', [trashed]);
    expect(await findServedFile(world.db, rows[0]?.key ?? '', null)).toBeNull();
    expect(await findServedFile(world.db, 'missing', null)).toBeNull();
    const key = (await findFileKey(world.db, ids[0] as FileId))?.key ?? '';
    expect(await findServedFile(world.db, key, 2)).toBeNull();
  });
});
