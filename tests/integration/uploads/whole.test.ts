import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { bodyOf, losing, pattern, UploadWorld } from './support.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const PENDING = 'select id, attempts from object_deletions';

describe.each(databaseKinds())('small uploads that come whole, on %s', (kind) => {
  let world: UploadWorld;

  beforeEach(async () => {
    world = await UploadWorld.open(kind);
  });
  afterEach(() => world.close());

  type Node = Awaited<ReturnType<UploadWorld['node']>>;
  const send = ({ uploads }: Node, bytes: Uint8Array, options: { path?: string; door?: 'simple' | 'tus' } = {}) =>
    uploads.createAndWrite(
      world.actor,
      { door: options.door ?? 'simple', path: options.path ?? 'a/b.bin', size: bytes.length },
      { body: bodyOf(bytes), length: bytes.length },
    );
  const rows = async (query: string) => (await world.database.pool.query(query)).rows as Record<string, unknown>[];

  async function contentOf(fileId: string | undefined): Promise<Buffer> {
    const { rows: found } = await world.database.pool.query<{ storage_key: string }>(
      'select o.storage_key from files f join objects o on o.id = f.object_id where f.id = $1',
      [fileId],
    );
    return readFile(path.join(world.root, 'objects', found[0]?.storage_key ?? ''));
  }

  it.each([0, 1, 16_384, 262_144, 262_145])('keeps %i bytes, and no trace of how', async (length) => {
    const bytes = pattern(length);
    const { file, upload } = await send(await world.node('a'), bytes, { door: 'tus' });
    expect(file).toMatchObject({ path: 'a/b.bin', size: length, sha256: sha256(bytes), version: 1 });
    expect(await contentOf(file?.id)).toEqual(bytes);
    expect(await world.filesOnDisk()).toHaveLength(1);
    expect(await rows(PENDING)).toEqual([]);
    const { uploads } = await world.node('b');
    const again = await uploads.find(world.actor, upload.id);
    expect(again).toMatchObject({ status: 'completed', offset: length, size: length, fileId: file?.id });
  });

  it('leaves the memory of a body that somebody else holds as it is', async () => {
    const bytes = new Uint8Array(pattern(100));
    const { file } = await send(await world.node('a'), bytes);
    expect(bytes).toEqual(new Uint8Array(pattern(100)));
    expect(await contentOf(file?.id)).toEqual(pattern(100));
  });

  it('makes a version of each of many to one path', async () => {
    const nodes = [await world.node('a'), await world.node('b')];
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => send(nodes[index % 2] as Node, pattern(50, index + 1))),
    );
    expect(results.map(({ file }) => file?.version).sort((x, y) => (x ?? 0) - (y ?? 0))).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  });

  it('keeps nothing of a body that breaks off, is too long, or is another than was declared', async () => {
    const { uploads } = await world.node('a');
    const breaks = Readable.from(
      (async function* () {
        yield pattern(5);
        throw new Error('the connection broke');
      })(),
      { objectMode: false },
    );
    const create = (body: Readable, checksum?: string) =>
      uploads.createAndWrite(world.actor, { door: 'simple', path: 'x', size: 10, checksum }, { body, length: 10 });
    await expect(create(breaks)).rejects.toMatchObject({ code: 'upload_interrupted' });
    await expect(create(bodyOf(pattern(11)))).rejects.toMatchObject({ code: 'payload_too_large' });
    await expect(create(bodyOf(pattern(9)))).rejects.toMatchObject({ code: 'length_mismatch' });
    const other = `sha256:${sha256(pattern(3))}`;
    await expect(create(bodyOf(pattern(10)), other)).rejects.toMatchObject({ code: 'checksum_mismatch' });
    expect(await world.filesOnDisk()).toEqual([]);
    expect(await rows(PENDING)).toEqual([]);
  });

  it('collects what was stored by a node that died before the database knew, and looks once more', async () => {
    const dying = losing(world.database.pool, 'complete_whole_uploads', 'before');
    await expect(send(await world.node('dead', dying.db), pattern(5))).rejects.toThrow('lost');
    const [stored] = await world.filesOnDisk();
    expect(stored).toBeDefined();
    const { removeObjects } = await world.node('b');
    expect(await removeObjects()).toBe(0);
    world.clock.advance(31_000);
    expect(await removeObjects()).toBe(1);
    expect(await world.filesOnDisk()).toEqual([]);
    // Its writer only slept, and wrote after all.
    await writeFile(path.join(world.root, stored ?? ''), 'late');
    world.clock.advance(21 * 60_000);
    expect(await removeObjects()).toBe(1);
    expect(await world.filesOnDisk()).toEqual([]);
    expect(await rows(PENDING)).toEqual([]);
  });

  it('files nothing that a collector has claimed, and removes what it wrote', async () => {
    const held = losing(world.database.pool, 'no statement', 'before');
    const query = held.db.query.bind(held.db);
    const { removeObjects } = await world.node('b');
    const slow = {
      query: async (text: { name?: string }, values?: unknown[]) => {
        if (text.name === 'complete_whole_uploads') {
          world.clock.advance(31_000);
          await removeObjects();
        }
        return query(text as never, values);
      },
    };
    const a = await world.node('a', slow as never);
    await expect(send(a, pattern(5))).rejects.toMatchObject({ code: 'upload_fenced' });
    expect(await rows('select id from files')).toEqual([]);
    expect(await world.filesOnDisk()).toEqual([]);
  });

  it('answers with the file when the answer of the database was lost after it committed', async () => {
    const lossy = losing(world.database.pool, 'complete_whole_uploads', 'after');
    const a = await world.node('a', lossy.db);
    // Two of one group: each is asked for again by itself.
    const results = await Promise.allSettled([send(a, pattern(5)), send(a, pattern(6), { path: 'c' })]);
    const files = await rows('select path, size from files order by path');
    expect(files).toEqual([
      { path: 'a/b.bin', size: 5 },
      { path: 'c', size: 6 },
    ]);
    expect(results.map(({ status }) => status)).toContain('fulfilled');
    world.clock.advance(3600_000);
    await (await world.node('b')).removeObjects();
    expect(await world.filesOnDisk()).toHaveLength(2);
  });

  it('removes what it wrote when the bucket refuses', async () => {
    const a = await world.node('a');
    const put = a.store.whole.put;
    Object.assign(a.store.whole, {
      put: async (key: string, content: Uint8Array) => {
        await put(key, content);
        throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      },
    });
    await expect(send(a, pattern(5))).rejects.toThrow('no space');
    expect(await world.filesOnDisk()).toEqual([]);
    expect(await rows(PENDING)).toEqual([]);
  });
});
