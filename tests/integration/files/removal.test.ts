import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { purgeTrash, removeDueObjects, type StoreRegistry } from '@carcosa/domain';
import { CarcosaError, type FileId, silentLogger } from '@carcosa/kernel';
import { DiskWorkers, LocalObjectStore } from '@carcosa/storage/adapters/local';
import type { ObjectStore } from '@carcosa/storage/port';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { addVersion, createFileWorld, type FileWorld, listAll, pathsOf } from './support.ts';

const DAY = 24 * 3600_000;
const MINUTE = 60_000;

describe.each(databaseKinds())('what is removed later, on %s', (kind) => {
  let world: FileWorld;
  let root: string;
  let store: ObjectStore;
  const workers = new DiskWorkers();
  /** Set: the bucket cannot be reached. */
  let outage: CarcosaError | undefined;
  const stores: StoreRegistry = {
    storeFor: async () => {
      if (outage) throw outage;
      return store;
    },
  };

  beforeAll(async () => {
    world = await createFileWorld(kind);
    root = await mkdtemp(join(tmpdir(), 'carcosa-removal-'));
    store = await LocalObjectStore.open({ root, workers });
  });
  afterAll(async () => {
    await store.close();
    await workers.close();
    await rm(root, { recursive: true, force: true });
    await world.database.close();
  });
  beforeEach(async () => {
    outage = undefined;
    await world.db.query('delete from object_deletions');
    await world.db.query('delete from file_versions');
    await world.db.query('delete from files');
    await world.db.query('delete from objects');
  });

  /** Puts the bytes where the rows say that they are. */
  async function storeAll(): Promise<void> {
    const { rows } = await world.db.query<{ id: string; key: string }>('select id, storage_key as key from objects');
    for (const { id, key } of rows) {
      const staged = await store.stage({ uploadId: `upl_${id}`, key, size: 3, contentType: 'text/plain' });
      await staged.append(Buffer.from('abc'));
      await staged.sync();
      await staged.commit(key);
    }
  }
  async function storedKeys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of store.list('')) keys.push(key);
    return keys;
  }
  const remove = () => removeDueObjects({ db: world.db, stores, clock: world.clock, logger: silentLogger });
  const due = async () =>
    (
      await world.db.query<{ attempts: number; lastError: string | null }>(
        'select attempts, last_error as "lastError" from object_deletions',
      )
    ).rows;

  describe('trash', () => {
    const purge = () => purgeTrash({ transaction: world.parts.transaction, clock: world.clock });

    it('is purged when its project keeps it no longer', async () => {
      const now = world.clock.now();
      const short = await world.addProject({ trashRetentionDays: 1 });
      const none = await world.addProject({ trashRetentionDays: 0 });
      await world.seed([
        { path: 'live' },
        { path: '29 days', deletedAt: now - 29 * DAY },
        { path: '31 days', deletedAt: now - 31 * DAY },
      ]);
      await world.seed(
        [
          { path: 'half a day', deletedAt: now - DAY / 2 },
          { path: '2 days', deletedAt: now - 2 * DAY },
        ],
        short,
      );
      await world.seed([{ path: 'now', deletedAt: now }, { path: 'live' }], none);
      expect(await purge()).toBe(3);
      const { rows } = await world.db.query<{ path: string }>('select path from files');
      expect(pathsOf(rows).sort()).toEqual(['29 days', 'half a day', 'live', 'live']);
      expect(await due()).toHaveLength(3);
      expect(await purge()).toBe(0);
    });

    it('goes in batches, by several processes at once, each file once', async () => {
      await world.seed(Array.from({ length: 1200 }, (_, n) => ({ path: `${n}`, deletedAt: 1 })));
      const purged = await Promise.all([purge(), purge(), purge()]);
      expect(purged.reduce((sum, n) => sum + n)).toBe(1200);
      expect(await listAll(world, { status: 'trashed' })).toEqual([]);
      expect(await due()).toHaveLength(1200);
    });

    it('does not take what is restored in the same moment', async () => {
      for (let round = 0; round < 20; round++) {
        const [id] = (await world.seed([{ path: `${round}`, deletedAt: 1 }])) as [FileId];
        const [, restored] = await Promise.allSettled([purge(), world.service.restore(world.actor, { id })]);
        if (restored.status === 'fulfilled')
          expect(await world.service.get(world.actor, { id })).toMatchObject({ deletedAt: null });
        else expect(restored.reason).toMatchObject({ code: 'not_found' });
      }
    });

    it('stops when it is told to', async () => {
      await world.seed([{ path: 'x', deletedAt: 1 }]);
      await expect(
        purgeTrash({ transaction: world.parts.transaction, clock: world.clock }, { signal: AbortSignal.abort() }),
      ).rejects.toThrow();
      expect(await listAll(world, { status: 'trashed' })).toHaveLength(1);
    });
  });

  describe('bytes', () => {
    it('go after the last reference, and leave no trace', async () => {
      const [a, b] = (await world.seed([{ path: 'a' }, { path: 'b' }])) as [FileId, FileId];
      await addVersion(world, a, 3);
      const copy = await world.service.copy(world.actor, { id: a }, { path: 'copy' });
      await storeAll();
      expect(await storedKeys()).toHaveLength(3);
      await world.service.purge(world.actor, { id: a });
      expect(await remove(), 'version 1 of a; version 2 lives in the copy').toBe(1);
      expect(await storedKeys()).toHaveLength(2);
      await world.service.purge(world.actor, { id: copy.id });
      await world.service.purge(world.actor, { id: b });
      expect(await remove()).toBe(2);
      expect(await storedKeys()).toEqual([]);
      expect(await due()).toEqual([]);
      expect(await remove()).toBe(0);
    });

    it('that are gone already are no fault: a crash may have come in between', async () => {
      const [id] = (await world.seed([{ path: 'a' }])) as [FileId];
      await world.service.purge(world.actor, { id });
      expect(await remove()).toBe(1);
      expect(await due()).toEqual([]);
    });

    it('are tried again later and later while the bucket does not answer', async () => {
      const [id] = (await world.seed([{ path: 'a' }])) as [FileId];
      await storeAll();
      await world.service.purge(world.actor, { id });
      outage = new CarcosaError('storage_unavailable', { message: 'no answer' });
      expect(await remove()).toBe(0);
      expect(await due()).toEqual([{ attempts: 1, lastError: 'no answer' }]);
      world.clock.advance(MINUTE - 1);
      expect(await remove()).toBe(0);
      expect(await due(), 'not due yet').toEqual([{ attempts: 1, lastError: 'no answer' }]);
      world.clock.advance(1);
      expect(await remove()).toBe(0);
      expect(await due()).toEqual([{ attempts: 2, lastError: 'no answer' }]);
      outage = undefined;
      world.clock.advance(MINUTE);
      expect(await remove(), 'after two minutes, not one').toBe(0);
      world.clock.advance(MINUTE);
      expect(await remove()).toBe(1);
      expect(await storedKeys()).toEqual([]);
    });

    it('are asked about once a day at least, however long it lasts', async () => {
      const [id] = (await world.seed([{ path: 'a' }])) as [FileId];
      await world.service.purge(world.actor, { id });
      await world.db.query('update object_deletions set attempts = 500');
      outage = new CarcosaError('storage_unavailable');
      await remove();
      outage = undefined;
      world.clock.advance(DAY);
      expect(await remove()).toBe(1);
    });

    it('are removed by one of several processes, and by another when that one dies', async () => {
      const files = await world.seed(Array.from({ length: 450 }, (_, n) => ({ path: `${n}` })));
      await world.service.bulk(world.actor, { action: 'purge', items: files.map((id) => ({ id })) });
      const removed = await Promise.all([remove(), remove(), remove()]);
      expect(removed.reduce((sum, n) => sum + n)).toBe(450);
      const [id] = (await world.seed([{ path: 'x' }])) as [FileId];
      await world.service.purge(world.actor, { id });
      const dying: StoreRegistry = { storeFor: () => new Promise(() => {}) };
      void removeDueObjects({ db: world.db, stores: dying, clock: world.clock, logger: silentLogger });
      await expect.poll(async () => (await due())[0]?.attempts).toBe(1);
      expect(await remove()).toBe(0);
      world.clock.advance(10 * MINUTE);
      expect(await remove()).toBe(1);
    });
  });
});
