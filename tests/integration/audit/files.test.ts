import type { Queryable } from '@carcosa/database';
import { FileService, purgeTrash } from '@carcosa/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { addVersion, createFileWorld, type FileWorld } from '../files/support.ts';

interface Row {
  action: string;
  resource_id: string;
  tenant_id: string | null;
  actor_id: string;
  ip_address: string | null;
  before: object | null;
  after: object | null;
}

describe.each(databaseKinds())('what is recorded of files, on %s', (kind) => {
  let world: FileWorld;
  let seen = 0;

  beforeAll(async () => {
    world = await createFileWorld(kind);
  });
  afterAll(() => world.database.close());

  const origin = { requestId: 'req_1', ipAddress: '203.0.113.7', userAgent: 'a browser' };
  const actor = () => ({ ...world.actor, origin });

  /** The entries since the last look; each must say who, from where, and in which project. */
  async function news(): Promise<Row[]> {
    const { rows } = await world.db.query<Row & { id: number; organization_id: string; project_id: string }>(
      'select * from audit_entries where id > $1 order by id',
      [seen],
    );
    seen = rows.at(-1)?.id ?? seen;
    for (const row of rows) {
      expect(row.organization_id).toMatch(/^org_/);
      expect(row).toMatchObject({ project_id: world.projectId, resource_type: 'file', result: 'success' });
    }
    return rows;
  }

  it('is every change with what was before and after', async () => {
    const [id = ''] = await world.seed([
      { path: 'a/one.txt', tags: ['x'], metadata: { password: 'hunter2', colour: 'red' } },
    ]);
    await world.service.update(actor(), { id }, { name: 'two.txt', metadata: { colour: 'blue', apiKey: 'k' } });
    expect(await news()).toMatchObject([
      {
        ...{
          action: 'file.update',
          resource_id: id,
          actor_id: world.actor.id,
          ip_address: '203.0.113.7',
          tenant_id: null,
        },
        before: { path: 'a/one.txt', metadata: { password: '[redacted]', colour: 'red' } },
        after: { path: 'a/two.txt', metadata: { colour: 'blue', apiKey: '[redacted]' } },
      },
    ]);
    const copy = await world.service.copy(actor(), { id }, { path: 'a/copy.txt' });
    expect(await news()).toMatchObject([
      { action: 'file.copy', resource_id: copy.id, after: { path: 'a/copy.txt', copyOf: id } },
    ]);
    await world.service.trash(actor(), { id });
    await world.service.trash(actor(), { id });
    expect(await news(), 'once: the second time it was there already').toMatchObject([
      { action: 'file.trash', resource_id: id, after: { deletedAt: expect.any(String) } },
    ]);
    await world.service.restore(actor(), { id }, { path: 'b/three.txt' });
    expect(await news()).toMatchObject([
      { action: 'file.restore', before: { path: 'a/two.txt' }, after: { path: 'b/three.txt' } },
    ]);
    await world.service.purge(actor(), { id });
    expect(await news()).toMatchObject([
      { action: 'file.purge', before: { path: 'b/three.txt', version: 1 }, after: null },
    ]);
  });

  it('is not what was refused, rolled back or changed nothing', async () => {
    const [one = '', two = ''] = await world.seed([{ path: 'r/one' }, { path: 'r/two' }]);
    await expect(world.service.update(actor(), { id: one }, { path: 'r/two' })).rejects.toMatchObject({
      code: 'path_taken',
    });
    await expect(world.service.copy(actor(), { id: two }, { path: 'r/one' })).rejects.toMatchObject({
      code: 'path_taken',
    });
    await world.service.restore(actor(), { id: one });
    await world.service.restoreVersion(actor(), { id: one, version: 1 });
    expect(await news()).toEqual([]);
  });

  it('is the restoring of a version, once', async () => {
    const [id] = await world.seed([{ path: 'versions' }]);
    if (!id) throw new Error('nothing was seeded');
    await addVersion(world, id, 9);
    await world.service.restoreVersion(actor(), { id, version: 1 });
    await world.service.restoreVersion(actor(), { id, version: 3 });
    expect(await news()).toMatchObject([
      {
        ...{ action: 'file.restore-version', resource_id: id, before: { version: 2 } },
        after: { path: 'versions', version: 3, restored: 1 },
      },
    ]);
  });

  it('is all of a bulk, in one statement more', async () => {
    const count = 300;
    await world.db.query(
      `insert into tenants (id, project_id, external_id, name, created_at, updated_at) values ('ten_1', $1, 'x', 'x', now(), now())`,
      [world.projectId],
    );
    const seeded = await world.seed(
      Array.from({ length: count }, (_, index) => ({ path: `bulk/${index}`, tenantId: index % 2 ? 'ten_1' : '' })),
    );
    const inserts: string[] = [];
    const counted = new FileService({
      ...world.parts,
      transaction: (work) =>
        world.parts.transaction((tx) => {
          const query: Queryable['query'] = (text, values) => {
            const sql = typeof text === 'string' ? text : text.text;
            if (sql.includes('insert into audit_entries')) inserts.push(sql);
            return tx.query(text, values);
          };
          return work({ query });
        }),
    });
    const items = seeded.map((id) => ({ id }));
    await counted.bulk(actor(), { action: 'update', items: items.map((item) => ({ ...item, tags: ['new'] })) });
    await counted.bulk(actor(), {
      action: 'copy',
      items: items.map((item, index) => ({ ...item, path: `copies/${index}` })),
    });
    await counted.bulk(actor(), { action: 'delete', items });
    await counted.bulk(actor(), { action: 'restore', items });
    await counted.bulk(actor(), { action: 'purge', items: [...items, { id: 'file_00000000000000000000000000' }] });
    expect(inserts).toHaveLength(5);
    const rows = await news();
    expect(rows).toHaveLength(5 * count);
    const perAction = Object.entries(Object.groupBy(rows, (row) => row.action)).map(([name, all]) => [
      name,
      all?.length,
    ]);
    expect(Object.fromEntries(perAction)).toEqual({
      ...{ 'file.update': count, 'file.copy': count, 'file.trash': count, 'file.restore': count, 'file.purge': count },
    });
    expect(new Set(rows.map((row) => row.tenant_id))).toEqual(new Set([null, 'ten_1']));
  });

  it('is what the system purges from the trash', async () => {
    const longAgo = world.clock.now() - 40 * 24 * 3600 * 1000;
    const [id] = await world.seed([{ path: 'old', deletedAt: longAgo, size: 7 }]);
    expect(await purgeTrash({ transaction: world.parts.transaction, clock: world.clock })).toBe(1);
    expect(await news()).toMatchObject([
      { action: 'file.purge', actor_id: 'system', resource_id: id, ip_address: null, before: { path: 'old', size: 7 } },
    ]);
  });
});
