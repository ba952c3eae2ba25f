import { File, UpdateFileBody } from '@carcosa/contracts';
import type { FileId } from '@carcosa/kernel';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { addVersion, createFileWorld, type FileWorld, listAll, pathsOf } from './support.ts';

const MISSING = 'file_00000000000000000000000000';

describe.each(databaseKinds())('changes of one file, on %s', (kind) => {
  let world: FileWorld;
  const one = async (path: string, more: object = {}): Promise<FileId> =>
    (await world.seed([{ path, ...more }]))[0] as FileId;
  /** As a list shows it: without what is said of one file only. */
  const get = async (id: string): Promise<File> => File.parse(await world.service.get(world.actor, { id }));
  const update = (id: string, body: object): Promise<File> =>
    world.service.update(world.actor, { id }, UpdateFileBody.parse(body));

  beforeAll(async () => {
    world = await createFileWorld(kind);
  });
  afterAll(() => world.database.close());
  beforeEach(async () => {
    await world.db.query('delete from object_deletions');
    await world.db.query('delete from file_versions');
    await world.db.query('delete from files');
    world.clock.advance(1000);
  });

  describe('rename, move, edit', () => {
    it('renames within the folder', async () => {
      const id = await one('a/b/old.txt');
      const before = await get(id);
      world.clock.advance(5);
      const file = await update(id, { name: 'nëw.txt' });
      expect(file).toEqual({
        ...before,
        name: 'nëw.txt',
        path: 'a/b/nëw.txt',
        updatedAt: new Date(world.clock.now()).toISOString(),
      });
      expect(await get(id)).toEqual(file);
      expect(pathsOf(await listAll(world, { folder: 'a/b' }))).toEqual(['a/b/nëw.txt']);
    });

    it('renames at the top', async () => {
      expect(await update(await one('old'), { name: 'new' })).toMatchObject({ path: 'new', name: 'new' });
    });

    it('moves to another folder and back to the top', async () => {
      const id = await one('a/x.txt');
      expect(await update(id, { path: 'b/c/y.txt' })).toMatchObject({ path: 'b/c/y.txt', name: 'y.txt' });
      expect(pathsOf(await listAll(world, { folder: 'b/c' }))).toEqual(['b/c/y.txt']);
      expect(await update(id, { path: 'y.txt' })).toMatchObject({ path: 'y.txt' });
      expect(pathsOf(await listAll(world, { folder: '' }))).toEqual(['y.txt']);
    });

    it('replaces metadata and tags, and sets the visibility', async () => {
      const id = await one('x', { metadata: { a: 1, b: 2 }, tags: ['a', 'b'] });
      expect(await update(id, { metadata: { c: 3 } })).toMatchObject({
        metadata: { c: 3 },
        tags: ['a', 'b'],
        visibility: 'private',
      });
      expect(await update(id, { tags: ['z', 'z', ' y '] })).toMatchObject({ metadata: { c: 3 }, tags: ['z', 'y'] });
      expect(await update(id, { visibility: 'public', metadata: {}, tags: [] })).toMatchObject({
        metadata: {},
        tags: [],
        visibility: 'public',
      });
    });

    it('keeps metadata of exactly the largest size, and any JSON', async () => {
      const id = await one('x');
      const metadata = { text: '', list: [1, -0.5, 1e-7, true, null, { 'quoted "key"': 'ünïcødé 👩‍👩‍👧' }] };
      // PostgreSQL writes 1e-7 as 0.0000001: seven digits more than came in.
      metadata.text = 'y'.repeat(16 * 1024 - Buffer.byteLength(JSON.stringify(metadata)) - 7);
      expect((await update(id, { metadata })).metadata).toEqual(metadata);
      metadata.text += 'y';
      expect(() => UpdateFileBody.parse({ metadata })).toThrow('limited to 16384 bytes');
    });

    it('leaves a path that is taken, in every way to take one', async () => {
      await one('a/taken');
      const id = await one('a/mine');
      await expect(update(id, { path: 'a/taken' })).rejects.toMatchObject({
        code: 'path_taken',
        details: { path: 'a/taken' },
      });
      await expect(update(id, { name: 'taken', tags: ['t'] })).rejects.toMatchObject({
        code: 'path_taken',
        details: { path: 'a/taken' },
      });
      expect(await get(id)).toMatchObject({ path: 'a/mine', tags: [] });
    });

    it('may take the path of a file in the trash, and its own', async () => {
      await one('a', { deletedAt: 1 });
      const id = await one('b');
      expect(await update(id, { path: 'a' })).toMatchObject({ path: 'a' });
      expect(await update(id, { path: 'a', tags: ['same'] })).toMatchObject({ path: 'a', tags: ['same'] });
    });

    it('keeps the paths of tenants apart', async () => {
      await one('a', { tenantId: 'ten_1' });
      const id = await one('b', { tenantId: 'ten_2' });
      expect(await update(id, { path: 'a' })).toMatchObject({ path: 'a', tenantId: 'ten_2' });
    });

    it('refuses a name that makes the path too long, and keeps twins of NFC and NFD apart', async () => {
      const id = await one(`${'f'.repeat(1000)}/x`);
      await expect(update(id, { name: 'n'.repeat(24) })).rejects.toMatchObject({ code: 'invalid_path' });
      expect(await update(id, { name: 'n'.repeat(23) })).toMatchObject({ name: 'n'.repeat(23) });
      await one('\u00e9');
      expect(await update(id, { path: 'e\u0301' })).toMatchObject({ path: 'e\u0301' });
    });

    it('refuses what is in the trash, unknown, of another project, or not allowed', async () => {
      const trashed = await one('t', { deletedAt: 1 });
      await expect(update(trashed, { tags: ['x'] })).rejects.toMatchObject({ code: 'conflict' });
      await expect(update(MISSING, { tags: ['x'] })).rejects.toMatchObject({ code: 'not_found' });
      await expect(update("' or 1=1 --\u0000", { tags: ['x'] })).rejects.toMatchObject({ code: 'not_found' });
      const id = await one('mine');
      const stranger = world.keyOf(await world.addProject(), ['admin']);
      await expect(world.service.update(stranger, { id }, { tags: ['x'] })).rejects.toMatchObject({
        code: 'not_found',
      });
      const reader = world.keyOf(world.projectId, ['files:read', 'files:delete']);
      await expect(world.service.update(reader, { id }, { tags: ['x'] })).rejects.toMatchObject({ code: 'forbidden' });
      expect((await get(id)).tags).toEqual([]);
    });
  });

  describe('copy', () => {
    it('makes a file of its own that shares the object', async () => {
      const id = await one('a/x.txt', {
        metadata: { m: 1 },
        tags: ['t'],
        visibility: 'public',
        size: 9,
        uploadedBy: 'key_x',
      });
      await addVersion(world, id, 77);
      const source = await get(id);
      world.clock.advance(60_000);
      const copy = await world.service.copy(world.actor, { id }, { path: 'b/y.txt' });
      const now = new Date(world.clock.now()).toISOString();
      expect(copy).toEqual({
        ...source,
        id: expect.stringMatching(/^file_/),
        key: expect.stringMatching(/^[A-Za-z0-9]{24}$/),
        url: expect.any(String),
        path: 'b/y.txt',
        name: 'y.txt',
        version: 1,
        uploadedBy: world.actor.id,
        createdAt: now,
        updatedAt: now,
      });
      expect(copy.key).not.toBe(source.key);
      expect((await versions(copy.id)).map(({ version, size }) => ({ version, size }))).toEqual([
        { version: 1, size: 77 },
      ]);
      const { rows } = await world.db.query(
        'select count(distinct object_id)::int as n from files where id = any($1)',
        [[id, copy.id]],
      );
      expect(rows).toEqual([{ n: 1 }]);
    });

    it('refuses a path that is taken, even its own, and sources that are not there', async () => {
      const id = await one('x');
      const trashed = await one('t', { deletedAt: 1 });
      await expect(world.service.copy(world.actor, { id }, { path: 'x' })).rejects.toMatchObject({
        code: 'path_taken',
        details: { path: 'x' },
      });
      await expect(world.service.copy(world.actor, { id: trashed }, { path: 'y' })).rejects.toMatchObject({
        code: 'conflict',
      });
      await expect(world.service.copy(world.actor, { id: MISSING }, { path: 'y' })).rejects.toMatchObject({
        code: 'not_found',
      });
      expect(await objectsLeft()).toMatchObject({ versions: 2, files: 2 });
    });
  });

  describe('trash, restore, purge', () => {
    it('moves to the trash and back', async () => {
      const id = await one('a/x');
      const before = await get(id);
      world.clock.advance(10);
      const trashed = await world.service.trash(world.actor, { id });
      const then = new Date(world.clock.now()).toISOString();
      expect(trashed).toEqual({ ...before, deletedAt: then, updatedAt: then });
      expect(await listAll(world)).toEqual([]);
      expect(await listAll(world, { status: 'trashed' })).toEqual([trashed]);
      expect(await get(id)).toEqual(trashed);
      world.clock.advance(10);
      expect(await world.service.trash(world.actor, { id }), 'twice is once').toEqual(trashed);
      const restored = await world.service.restore(world.actor, { id });
      expect(restored).toEqual({ ...before, updatedAt: new Date(world.clock.now()).toISOString() });
      expect(await world.service.restore(world.actor, { id }), 'twice is once').toEqual(restored);
    });

    it('restores beside a new file at the path only to another path', async () => {
      const old = await one('a/x', { deletedAt: 1 });
      await one('a/x');
      await expect(world.service.restore(world.actor, { id: old })).rejects.toMatchObject({
        code: 'path_taken',
        details: { path: 'a/x' },
      });
      expect(await world.service.restore(world.actor, { id: old }, { path: 'b/old x' })).toMatchObject({
        path: 'b/old x',
        name: 'old x',
        deletedAt: null,
      });
    });

    it('purges from the trash or not, with all versions, and gives up the bytes once', async () => {
      const id = await one('x', { size: 5 });
      await addVersion(world, id, 6);
      await addVersion(world, id, 7);
      // The middle version comes back, so that one object stands for two versions.
      await world.service.restoreVersion(world.actor, { id, version: 2 });
      const before = await get(id);
      expect(await world.service.purge(world.actor, { id })).toEqual(before);
      await expect(get(id)).rejects.toMatchObject({ code: 'not_found' });
      await expect(world.service.purge(world.actor, { id })).rejects.toMatchObject({ code: 'not_found' });
      expect(await objectsLeft()).toEqual({ files: 0, versions: 0, objects: 0, deletions: 3, bytes: 18 });
    });

    it('keeps bytes that a copy or another version refers to', async () => {
      const id = await one('x', { size: 5 });
      const copy = await world.service.copy(world.actor, { id }, { path: 'y' });
      await addVersion(world, copy.id as FileId, 9);
      await world.service.purge(world.actor, { id });
      expect(await objectsLeft()).toEqual({ files: 1, versions: 2, objects: 2, deletions: 0, bytes: 0 });
      await world.service.purge(world.actor, { id: copy.id });
      expect(await objectsLeft()).toEqual({ files: 0, versions: 0, objects: 0, deletions: 2, bytes: 14 });
    });

    it('asks for files:delete, and hides what belongs to others', async () => {
      const id = await one('x');
      const writer = world.keyOf(world.projectId, ['files:read', 'files:write']);
      const stranger = world.keyOf(await world.addProject(), ['admin']);
      for (const action of ['trash', 'purge'] as const) {
        await expect(world.service[action](writer, { id })).rejects.toMatchObject({ code: 'forbidden' });
        await expect(world.service[action](stranger, { id })).rejects.toMatchObject({ code: 'not_found' });
      }
      await expect(world.service.restore(stranger, { id })).rejects.toMatchObject({ code: 'not_found' });
      await expect(world.service.restoreVersion(stranger, { id, version: 1 })).rejects.toMatchObject({
        code: 'not_found',
      });
      await expect(world.service.copy(stranger, { id }, { path: 'z' })).rejects.toMatchObject({ code: 'not_found' });
      await expect(world.service.listVersions(stranger, { id, limit: 10 })).rejects.toMatchObject({
        code: 'not_found',
      });
      expect((await get(id)).deletedAt).toBeNull();
    });
  });

  describe('versions', () => {
    it('lists them newest first, in pages', async () => {
      const id = await one('x', { size: 1 });
      for (const size of [2, 3, 4]) await addVersion(world, id, size);
      expect((await versions(id)).map(({ version, current, size }) => ({ version, current, size }))).toEqual([
        { version: 4, current: true, size: 4 },
        { version: 3, current: false, size: 3 },
        { version: 2, current: false, size: 2 },
        { version: 1, current: false, size: 1 },
      ]);
      const first = await world.service.listVersions(world.actor, { id, limit: 3 });
      expect(first).toMatchObject({ hasMore: true, nextCursor: expect.any(String) });
      const second = await world.service.listVersions(world.actor, {
        id,
        limit: 3,
        cursor: first.nextCursor as string,
      });
      expect(second).toMatchObject({ items: [{ version: 1 }], hasMore: false, nextCursor: null });
      await expect(world.service.listVersions(world.actor, { id, limit: 3, cursor: 'x' })).rejects.toMatchObject({
        code: 'invalid_request',
      });
      await expect(world.service.listVersions(world.actor, { id: MISSING, limit: 3 })).rejects.toMatchObject({
        code: 'not_found',
      });
    });

    it('makes an earlier content the present one as a new version', async () => {
      const id = await one('x', { size: 1, contentType: 'image/png', metadata: { kept: true } });
      const original = await get(id);
      await addVersion(world, id, 2);
      world.clock.advance(100);
      const restored = await world.service.restoreVersion(world.actor, { id, version: 1 });
      expect(restored).toEqual({ ...original, version: 3, updatedAt: new Date(world.clock.now()).toISOString() });
      expect(await versions(id)).toMatchObject([
        { version: 3, current: true, size: 1, createdBy: world.actor.id },
        { version: 2, size: 2 },
        { version: 1, size: 1 },
      ]);
      expect(await world.service.restoreVersion(world.actor, { id, version: 3 }), 'the present one stays').toEqual(
        restored,
      );
      await expect(world.service.restoreVersion(world.actor, { id, version: 9 })).rejects.toMatchObject({
        code: 'not_found',
      });
      await world.service.trash(world.actor, { id });
      await expect(world.service.restoreVersion(world.actor, { id, version: 1 })).rejects.toMatchObject({
        code: 'conflict',
      });
    });
  });

  const versions = async (id: string) => (await world.service.listVersions(world.actor, { id, limit: 100 })).items;

  async function objectsLeft(): Promise<Record<string, number>> {
    const { rows } = await world.db.query<Record<string, number>>(
      `select (select count(*) from files)::int as files, (select count(*) from file_versions)::int as versions,
         (select count(*) from objects o where exists (select from file_versions v where v.object_id = o.id))::int as objects,
         (select count(*) from object_deletions)::int as deletions, (select coalesce(sum(size), 0) from object_deletions)::int as bytes`,
    );
    return rows[0] as Record<string, number>;
  }
});
