import type { Readable } from 'node:stream';
import { copyFiles } from '@carcosa/database';
import type { TenantId } from '@carcosa/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { bodyOf, HeldBody, pattern, UploadWorld } from './support.ts';

describe.each(databaseKinds())('an upload whose tenant is removed meanwhile, on %s', (kind) => {
  let world: UploadWorld;
  let node: Awaited<ReturnType<UploadWorld['node']>>;
  let tenantId: TenantId;

  beforeEach(async () => {
    world = await UploadWorld.open(kind);
    node = await world.node('a');
    tenantId = world.ids.next('tenant');
    await world.database.pool.query(
      `insert into tenants (id, project_id, external_id, name, created_at, updated_at) values ($1, $2, $1, 'One', now(), now())`,
      [tenantId, world.projectId],
    );
    // From here on the node remembers the tenant, as one that has not yet heard of its end does.
    await send('first.bin', 10, bodyOf(pattern(10)));
  });
  afterEach(() => world.close());

  const send = (path: string, size: number, body: Readable) =>
    node.uploads.createAndWrite(world.actor, { door: 'simple', path, size, tenantId }, { body, length: size });
  const remove = () => world.database.pool.query('delete from tenants where id = $1', [tenantId]);
  const rows = async (text: string) => (await world.database.pool.query(text)).rows;
  const paths = async () => (await rows('select path from files order by path')).map(({ path }) => path);

  it.each([
    ['that comes whole', 1000],
    ['that is staged', 300_000],
  ])('leaves no file of one %s', async (_kind, size) => {
    const [half, body] = [size / 2, new HeldBody()];
    const content = pattern(size);
    const sending = send('a.bin', size, body);
    sending.catch(() => {});
    body.send(content.subarray(0, half));
    await remove();
    body.send(content.subarray(half));
    body.end();
    await expect(sending).rejects.toMatchObject({ code: 'not_found', message: expect.stringMatching(/tenant/) });
    expect(await paths()).toEqual(['first.bin']);
  });

  it('leaves no bytes of one that came whole', async () => {
    await remove();
    await expect(send('a.bin', 10, bodyOf(pattern(10)))).rejects.toMatchObject({ code: 'not_found' });
    expect(await world.filesOnDisk()).toHaveLength(1);
    expect(await rows('select from object_deletions')).toEqual([]);
  });

  it('leaves no file of one that goes directly to the bucket', async () => {
    const input = { fileName: 'a.bin', path: 'a.bin', size: 10, tenantId };
    const { uploadId, url } = await node.direct.init(world.actor, input);
    const address = new URL(url ?? '');
    const partNumber = Number(address.pathname.split('/').at(-1));
    const signed = { query: address.search.slice(1), contentType: 'application/octet-stream', length: 10 };
    await node.direct.receivePart({ uploadId, partNumber, ...signed }, bodyOf(pattern(10)));
    await remove();
    await expect(node.direct.complete(world.actor, uploadId, undefined)).rejects.toMatchObject({ code: 'not_found' });
    expect(await paths()).toEqual(['first.bin']);
  });

  it('is not filed before it is clear whether the tenant goes', async () => {
    const client = await world.database.pool.connect();
    try {
      await client.query('begin');
      await client.query('delete from tenants where id = $1', [tenantId]);
      const sending = send('a.bin', 10, bodyOf(pattern(10)));
      sending.catch(() => {});
      const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      await expect.poll(async () => (await rows(waiting)).length).toBeGreaterThan(0);
      await client.query('commit');
      await expect(sending).rejects.toMatchObject({ code: 'not_found' });
    } finally {
      client.release();
    }
    expect(await paths()).toEqual(['first.bin']);
  });
});

describe.each(databaseKinds())('a copy of a file whose tenant was removed, on %s', (kind) => {
  it('is not made', async () => {
    const world = await UploadWorld.open(kind);
    try {
      const node = await world.node('a');
      const tenantId = world.ids.next('tenant');
      await world.database.pool.query(
        `insert into tenants (id, project_id, external_id, name, created_at, updated_at) values ($1, $2, $1, 'One', now(), now())`,
        [tenantId, world.projectId],
      );
      const { file } = await node.uploads.createAndWrite(
        world.actor,
        { door: 'simple', path: 'a.bin', size: 10, tenantId },
        { body: bodyOf(pattern(10)), length: 10 },
      );
      const copy = (name: string) => {
        const id = file?.id as Parameters<typeof copyFiles>[1][number]['id'];
        const newId = world.ids.next('file');
        const options = { projectId: world.projectId, by: 'test', now: world.clock.now(), publicUrl: 'http://test' };
        return copyFiles(
          world.database.pool,
          [{ id, path: name, folder: '', name, newId, newKey: world.ids.next('file') }],
          options,
        );
      };
      expect((await copy('b.bin')).files.size).toBe(1);
      await world.database.pool.query('delete from tenants where id = $1', [tenantId]);
      expect((await copy('c.bin')).files.size).toBe(0);
    } finally {
      await world.close();
    }
  });
});
