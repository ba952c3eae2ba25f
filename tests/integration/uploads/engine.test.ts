import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { bodyOf, HeldBody, losing, pattern, UploadWorld } from './support.ts';

const MIB = 1024 * 1024;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe.each(databaseKinds())('the upload engine on %s', (kind) => {
  let world: UploadWorld;

  beforeEach(async () => {
    world = await UploadWorld.open(kind);
  });
  afterEach(() => world.close());

  async function contentOf(fileId: string): Promise<Buffer> {
    const { rows } = await world.database.pool.query<{ storage_key: string }>(
      'select o.storage_key from files f join objects o on o.id = f.object_id where f.id = $1',
      [fileId],
    );
    return readFile(path.join(world.root, 'objects', rows[0]?.storage_key ?? ''));
  }

  it('stores a body whole, with its SHA-256', async () => {
    const { uploads } = await world.node('a');
    const bytes = pattern(3 * MIB + 17);
    const { file } = await uploads.createAndWrite(
      world.actor,
      { door: 'simple', path: 'a/b.bin', size: bytes.length },
      { body: bodyOf(bytes), length: bytes.length },
    );
    expect(file).toMatchObject({
      path: 'a/b.bin',
      size: bytes.length,
      sha256: sha256(bytes),
      version: 1,
      visibility: 'private',
    });
    expect(await contentOf(file?.id ?? '')).toEqual(bytes);
  });

  it('continues on another node where the first was interrupted, and hashes what it did not see', async () => {
    const [a, b] = [await world.node('a'), await world.node('b')];
    const bytes = pattern(9 * MIB + 3);
    const upload = await a.uploads.create(world.actor, { door: 'tus', path: 'x', size: bytes.length });
    const body = new HeldBody();
    const first = a.uploads.write(world.actor, upload.id, { body, offset: 0, length: null });
    body.send(bytes.subarray(0, 5 * MIB + 1));
    await expect.poll(() => body.readableFlowing === true && body.readableLength === 0).toBe(true);
    body.destroy(new Error('the connection broke'));
    await expect(first).rejects.toMatchObject({ code: 'upload_interrupted' });

    const { offset } = await b.uploads.findSettled(world.actor, upload.id);
    expect(offset).toBe(5 * MIB + 1);
    const { file } = await b.uploads.write(world.actor, upload.id, {
      body: bodyOf(bytes.subarray(offset)),
      offset,
      length: null,
    });
    expect(file?.sha256).toBe(sha256(bytes));
    expect(await contentOf(file?.id ?? '')).toEqual(bytes);
  });

  /** Waits until that node has the right to write. */
  const held = async (id: string, owner: string): Promise<void> => {
    const lease = () => world.database.pool.query('select lease_owner from uploads where id = $1', [id]);
    await expect.poll(async () => (await lease()).rows[0]?.lease_owner).toBe(owner);
  };

  it('asks a holder whose sender is silent to save and stop, also on another node', async () => {
    const [a, b] = [await world.node('a'), await world.node('b')];
    const bytes = pattern(2 * MIB);
    const upload = await a.uploads.create(world.actor, { door: 'tus', path: 'x', size: bytes.length });
    const silent = new HeldBody();
    const first = a.uploads
      .write(world.actor, upload.id, { body: silent, offset: 0, length: null })
      .catch((error: unknown) => error);
    silent.send(bytes.subarray(0, MIB));
    await held(upload.id, 'a');

    const settled = await b.uploads.findSettled(world.actor, upload.id);
    expect(settled.offset).toBe(MIB);
    expect(await first).toMatchObject({ code: 'upload_locked' });
    const { file } = await b.uploads.write(world.actor, upload.id, {
      body: bodyOf(bytes.subarray(MIB)),
      offset: MIB,
      length: MIB,
    });
    expect(await contentOf(file?.id ?? '')).toEqual(bytes);
  });

  it('fences a writer that slept through the end of its lease: nothing that it writes later arrives', async () => {
    const [a, b] = [await world.node('a'), await world.node('b')];
    const bytes = pattern(4 * MIB, 2);
    const upload = await a.uploads.create(world.actor, { door: 'tus', path: 'x', size: bytes.length });
    await a.uploads.write(world.actor, upload.id, { body: bodyOf(bytes.subarray(0, MIB)), offset: 0, length: MIB });
    const body = new HeldBody();
    const zombie = a.uploads
      .write(world.actor, upload.id, { body, offset: MIB, length: null })
      .catch((error: unknown) => error);
    body.send(pattern(MIB, 3));
    await expect.poll(async () => (await world.filesOnDisk()).length).toBe(1);
    await held(upload.id, 'a');
    await world.lapseLease(upload.id);

    const half = await b.uploads.write(world.actor, upload.id, {
      body: bodyOf(bytes.subarray(MIB, 2 * MIB)),
      offset: MIB,
      length: MIB,
    });
    expect(half.offset).toBe(2 * MIB);
    // The zombie wakes and sends all the rest, of other bytes.
    body.send(pattern(2 * MIB, 4));
    body.end();
    expect(await zombie).toMatchObject({ code: 'upload_fenced' });

    const { file } = await b.uploads.write(world.actor, upload.id, {
      body: bodyOf(bytes.subarray(2 * MIB)),
      offset: 2 * MIB,
      length: 2 * MIB,
    });
    expect(file?.sha256).toBe(sha256(bytes));
    expect(await contentOf(file?.id ?? '')).toEqual(bytes);
    // What the zombie wrote goes with the next collection.
    await b.collector.collect();
    expect(await world.filesOnDisk()).toHaveLength(1);
  });

  it('completes once when the answer of the database is lost after it committed', async () => {
    const lossy = losing(world.database.pool, 'complete_uploads', 'after');
    const { uploads } = await world.node('a', lossy.db);
    const bytes = pattern(1000);
    const upload = await uploads.create(world.actor, { door: 'tus', path: 'x', size: bytes.length });
    const first = await uploads.write(world.actor, upload.id, { body: bodyOf(bytes), offset: 0, length: 1000 });
    expect(first.file).toMatchObject({ version: 1, sha256: sha256(bytes) });
    const again = await uploads.write(world.actor, upload.id, {
      body: bodyOf(Buffer.alloc(0)),
      offset: 1000,
      length: 0,
    });
    expect(again.file).toMatchObject({ version: 1, sha256: sha256(bytes) });
    expect(await world.filesOnDisk()).toHaveLength(1);
  });

  it('finishes an upload whose node died between the bucket and the database', async () => {
    const dying = losing(world.database.pool, 'complete_uploads', 'before', 'save_upload_progress');
    const a = await world.node('a', dying.db);
    const bytes = pattern(3 * MIB);
    const upload = await a.uploads.create(world.actor, { door: 'tus', path: 'x', size: bytes.length });
    dying.stop();
    await a.uploads.write(world.actor, upload.id, { body: bodyOf(bytes.subarray(0, MIB)), offset: 0, length: MIB });
    dying.start();
    const rest = { body: bodyOf(bytes.subarray(MIB)), offset: MIB, length: 2 * MIB };
    await expect(a.uploads.write(world.actor, upload.id, rest)).rejects.toThrow('lost');
    await world.lapseLease(upload.id);

    const b = await world.node('b');
    const { offset } = await b.uploads.find(world.actor, upload.id);
    const done = await b.uploads.write(world.actor, upload.id, {
      body: bodyOf(bytes.subarray(offset)),
      offset,
      length: bytes.length - offset,
    });
    expect(done).toMatchObject({ offset: bytes.length, file: { sha256: sha256(bytes), size: bytes.length } });
    expect(await contentOf(done.file?.id ?? '')).toEqual(bytes);
  });

  it.each([100, 3 * MIB])(
    'completes a direct upload of %i bytes that is asked for again once the database is back',
    async (size) => {
      const gone = losing(world.database.pool, 'complete_uploads', 'before', 'save_upload_progress');
      const a = await world.node('a', gone.db);
      const bytes = pattern(size);
      const { uploadId, url } = await a.direct.init(world.actor, { fileName: 'x', size, path: 'direct' });
      const address = new URL(url ?? '');
      await a.direct.receivePart(
        {
          uploadId,
          partNumber: Number(address.pathname.split('/').at(-1)),
          query: address.search.slice(1),
          contentType: 'application/octet-stream',
          length: size,
        },
        bodyOf(bytes),
      );
      await expect(a.direct.complete(world.actor, uploadId, undefined)).rejects.toThrow('lost');
      // The bytes have their final name, and the lease was not released.
      expect(await world.filesOnDisk()).toEqual([expect.stringMatching(/^objects/)]);
      gone.stop();
      await world.lapseLease(uploadId);
      const b = await world.node('b');
      const file = await b.direct.complete(world.actor, uploadId, undefined);
      expect(file).toMatchObject({ path: 'direct', sha256: sha256(bytes), version: 1 });
      expect(await contentOf(file.id)).toEqual(bytes);
      expect((await a.direct.complete(world.actor, uploadId, undefined)).id).toBe(file.id);
    },
  );

  it('collects what expired, what was aborted and what died with its node, and nothing else', async () => {
    const { uploads, collector } = await world.node('a');
    const keep = await uploads.createAndWrite(
      world.actor,
      { door: 'simple', path: 'kept', size: 5 },
      { body: bodyOf(pattern(5)), length: 5 },
    );
    const partial = await uploads.create(world.actor, { door: 'tus', path: 'partial', size: 10 });
    await uploads.write(world.actor, partial.id, { body: bodyOf(pattern(4)), offset: 0, length: 4 });
    const dying = losing(world.database.pool, 'complete_uploads', 'before', 'update uploads set status');
    const dead = await world.node('dead', dying.db);
    await expect(
      dead.uploads.createAndWrite(
        world.actor,
        { door: 'simple', path: 'dead', size: null },
        { body: bodyOf(pattern(5)), length: null },
      ),
    ).rejects.toThrow('lost');
    expect(await world.filesOnDisk()).toHaveLength(3);

    await world.database.pool.query(
      `update uploads set lease_until = now() - interval '1 second' where lease_owner = 'dead'`,
    );
    expect(await collector.collect()).toBe(1);
    expect(await world.filesOnDisk()).toHaveLength(2);
    world.clock.advance(25 * 3600 * 1000);
    // The partial one, and once more what the dead one might have left when it was only asleep.
    expect(await collector.collect()).toBe(2);
    expect(await world.filesOnDisk()).toHaveLength(1);
    expect(await contentOf(keep.file?.id ?? '')).toEqual(pattern(5));
    await expect(
      uploads.write(world.actor, partial.id, { body: bodyOf(pattern(6)), offset: 4, length: 6 }),
    ).rejects.toMatchObject({ code: 'upload_not_open' });
    const told = await world.database.pool.query(
      `select type, resource_id, data->>'path' as path from events where type like 'upload.%' order by position desc limit 2`,
    );
    expect(told.rows).toEqual([
      { type: 'upload.expired', resource_id: partial.id, path: 'partial' },
      { type: 'upload.created', resource_id: partial.id, path: 'partial' },
    ]);
  });

  it('makes versions of one path when many uploads to it end at once', async () => {
    const nodes = [await world.node('a'), await world.node('b')];
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => {
        const bytes = pattern(100, index + 1);
        const { uploads } = nodes[index % 2] as (typeof nodes)[0];
        return uploads.createAndWrite(
          world.actor,
          { door: 'simple', path: 'one', size: 100 },
          { body: bodyOf(bytes), length: 100 },
        );
      }),
    );
    expect(new Set(results.map(({ file }) => file?.id)).size).toBe(1);
    expect(results.map(({ file }) => file?.version).sort((x, y) => (x ?? 0) - (y ?? 0))).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  });

  it('refuses more bytes than were declared and keeps none of them', async () => {
    const { uploads } = await world.node('a');
    const upload = await uploads.create(world.actor, { door: 'tus', path: 'x', size: 100 });
    const tooLong = { body: bodyOf(pattern(101)), offset: 0, length: null };
    await expect(uploads.write(world.actor, upload.id, tooLong)).rejects.toMatchObject({ code: 'payload_too_large' });
    const { offset } = await uploads.find(world.actor, upload.id);
    expect(offset).toBe(0);
    const { file } = await uploads.write(world.actor, upload.id, {
      body: bodyOf(pattern(100)),
      offset: 0,
      length: 100,
    });
    expect(file?.sha256).toBe(sha256(pattern(100)));
  });
});
