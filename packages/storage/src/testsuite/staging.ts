import { describe, expect, it } from 'vitest';
import type { ObjectStore } from '../port.ts';
import {
  appendAll,
  expectError,
  freshKey,
  freshUploadId,
  type OpenBucket,
  outcome,
  readAll,
  sha256,
  someBytes,
  useBucket,
} from './harness.ts';

const contentType = 'application/octet-stream';

/** Objects that grow: what is synced stays, what is committed is whole, what is discarded is gone. */
export function describeStaging(open: OpenBucket): void {
  describe('staging', () => {
    const bucket = useBucket(open);

    describe.each(['known', 'unknown'])('of %s size', (kind) => {
      const sizeOf = (bytes: Buffer) => (kind === 'known' ? bytes.length : null);
      const begin = async (bytes: Buffer) => {
        const input = { uploadId: freshUploadId(), key: freshKey(), size: sizeOf(bytes), contentType };
        return { ...input, staged: await bucket().store.stage(input) };
      };

      it.each([
        ['0 bytes', () => 0],
        ['1 byte', () => 1],
        ['one less than the boundary', (boundary: number) => boundary - 1],
        ['the boundary', (boundary: number) => boundary],
        ['one more', (boundary: number) => boundary + 1],
        ['several', (boundary: number) => 4 * boundary],
      ])('keeps %s', async (_name, length) => {
        const bytes = someBytes(length(bucket().boundary));
        const { staged, key, uploadId } = await begin(bytes);
        expect(staged.length).toBe(0);
        await appendAll(staged, bytes, 50_000);
        expect(staged.length).toBe(bytes.length);
        expect(await staged.sync()).toBe(bytes.length);
        expect(await staged.sync()).toBe(bytes.length);
        expect(await staged.sha256()).toBe(sha256(bytes));
        expect(Buffer.from(await staged.head(100)).equals(bytes.subarray(0, 100))).toBe(true);
        await staged.commit(key);
        await staged.close();
        expect((await readAll(bucket().store, key)).equals(bytes)).toBe(true);
        expect((await bucket().store.stat(key))?.size).toBe(bytes.length);
        expect((await bucket().leftovers()).filter((name) => name.includes(uploadId))).toEqual([]);
      });

      it('commits without a sync before', async () => {
        const bytes = someBytes(bucket().boundary + 100);
        const { staged, key } = await begin(bytes);
        await appendAll(staged, bytes);
        await staged.commit(key);
        expect((await readAll(bucket().store, key)).equals(bytes)).toBe(true);
      });

      it('commits once however often it is told to', async () => {
        const bytes = someBytes(bucket().boundary + 100);
        const { staged, key, uploadId } = await begin(bytes);
        await appendAll(staged, bytes);
        await staged.sync();
        const saved = staged.ref;
        await staged.commit(key);
        await staged.commit(key);
        // As after a crash before the row was told: the object is there, whoever asks.
        const again = await bucket().openAgain();
        const resumed = await again.resume(saved, { durable: bytes.length, takeover: true }).catch(() => null);
        if (resumed) {
          expect(await resumed.sha256()).toBe(sha256(bytes));
          await resumed.commit(key);
        }
        expect((await readAll(again, key)).equals(bytes)).toBe(true);
        await again.discard({ uploadId, key, ref: saved });
        await again.discard({ uploadId, key, ref: null });
        expect((await readAll(again, key)).equals(bytes)).toBe(true);
        await again.close();
      });

      it('continues in another process from what was synced', async () => {
        const { boundary, openAgain } = bucket();
        const bytes = someBytes(3 * boundary + 5);
        const cut = boundary + 77;
        const { staged, key } = await begin(bytes);
        await appendAll(staged, bytes.subarray(0, cut), 9_999);
        expect(await staged.sync()).toBe(cut);
        const saved = JSON.parse(JSON.stringify(staged.ref));
        // What comes after the sync is lost with the process.
        await appendAll(staged, bytes.subarray(cut, cut + 1000));
        await staged.close();
        const again = await openAgain();
        const resumed = await again.resume(saved, { durable: cut, takeover: false });
        expect(resumed.length).toBe(cut);
        expect(Buffer.from(await resumed.head(64)).equals(bytes.subarray(0, 64))).toBe(true);
        await appendAll(resumed, bytes.subarray(cut));
        await resumed.sync();
        expect(await resumed.sha256()).toBe(sha256(bytes));
        await resumed.commit(key);
        expect((await readAll(again, key)).equals(bytes)).toBe(true);
        await again.close();
      });

      it('takes back what was appended since the last sync', async () => {
        const { boundary, store } = bucket();
        const bytes = someBytes(3 * boundary);
        const { staged, key } = await begin(bytes);
        const cut = boundary >> 1;
        await appendAll(staged, bytes.subarray(0, cut));
        await staged.sync();
        for (const wrong of [1, boundary >> 2, 2 * boundary]) {
          await appendAll(staged, someBytes(wrong));
          await staged.truncate(cut);
          expect(staged.length).toBe(cut);
        }
        await appendAll(staged, bytes.subarray(cut));
        await staged.sync();
        expect(await staged.sha256()).toBe(sha256(bytes));
        await staged.commit(key);
        expect((await readAll(store, key)).equals(bytes)).toBe(true);
      });

      it('takes back more than it gets in the end', async () => {
        const { boundary, store } = bucket();
        const bytes = kind === 'known' ? someBytes(5 * boundary) : someBytes(10);
        const { staged, key } = await begin(bytes);
        await appendAll(staged, someBytes(5 * boundary));
        await staged.truncate(0);
        await appendAll(staged, bytes);
        expect(await staged.sha256()).toBe(sha256(bytes));
        await staged.commit(key);
        expect((await readAll(store, key)).equals(bytes)).toBe(true);
      });

      it('continues from what was synced lazily', async () => {
        const { boundary, store } = bucket();
        const bytes = someBytes(5 * boundary);
        const { staged, key } = await begin(bytes);
        await appendAll(staged, bytes.subarray(0, 2 * boundary + 1000));
        await staged.sync();
        await appendAll(staged, bytes.subarray(2 * boundary + 1000, 4 * boundary + 1000));
        const durable = await staged.sync({ lazy: true });
        expect(durable).toBeGreaterThanOrEqual(2 * boundary + 1000);
        expect(durable).toBeLessThanOrEqual(4 * boundary + 1000);
        await staged.close();
        const resumed = await store.resume(staged.ref, { durable, takeover: false });
        await appendAll(resumed, bytes.subarray(durable));
        expect(await resumed.sha256()).toBe(sha256(bytes));
        await resumed.commit(key);
        expect((await readAll(store, key)).equals(bytes)).toBe(true);
      });

      it('syncs while more is appended', async () => {
        const { boundary, openAgain } = bucket();
        const bytes = someBytes(4 * boundary);
        const { staged, key } = await begin(bytes);
        const syncs: Promise<void>[] = [];
        const check = async (lazy: boolean) => {
          const before = staged.length;
          const durable = await staged.sync({ lazy });
          expect(durable).toBeLessThanOrEqual(staged.length);
          if (!lazy) expect(durable).toBeGreaterThanOrEqual(before);
        };
        for (let at = 0; at < bytes.length; at += 30_000) {
          await staged.append(Buffer.from(bytes.subarray(at, at + 30_000)));
          if (at % 90_000 === 0) syncs.push(check(at % 180_000 === 0));
        }
        await Promise.all(syncs);
        expect(await staged.sync()).toBe(bytes.length);
        const saved = staged.ref;
        await staged.close();
        const again = await openAgain();
        const resumed = await again.resume(saved, { durable: bytes.length, takeover: false });
        expect(await resumed.sha256()).toBe(sha256(bytes));
        await resumed.commit(key);
        expect((await readAll(again, key)).equals(bytes)).toBe(true);
        await again.close();
      });

      it('keeps a former writer from the object after a takeover', async () => {
        const { boundary, openAgain } = bucket();
        const [bytes, wrong] = [someBytes(3 * boundary + 9), someBytes(3 * boundary + 9)];
        const cut = boundary + 100;
        const { staged: zombie, key } = await begin(bytes);
        await appendAll(zombie, bytes.subarray(0, cut));
        await zombie.sync();
        const saved = zombie.ref;
        const other = await openAgain();
        const heir = await other.resume(saved, { durable: cut, takeover: true, fence: 9 });
        // Both write at the same time.
        await appendAll(zombie, wrong.subarray(cut, 2 * boundary + 50)).catch(() => {});
        await appendAll(heir, bytes.subarray(cut, 2 * boundary + 30));
        await zombie.sync().catch(() => {});
        await heir.sync();
        await appendAll(heir, bytes.subarray(2 * boundary + 30));
        await appendAll(zombie, wrong.subarray(2 * boundary + 50)).catch(() => {});
        await zombie.sync().catch(() => {});
        await heir.sync();
        expect(await heir.sha256()).toBe(sha256(bytes));
        await heir.commit(key);
        await zombie.commit(key).catch(() => {});
        await zombie.close();
        expect((await readAll(other, key)).equals(bytes)).toBe(true);
        await other.close();
      });

      it('can be taken over again when the heir dies before it has saved anything', async () => {
        const { boundary, openAgain } = bucket();
        const bytes = someBytes(2 * boundary + 9);
        const cut = boundary + 100;
        const { staged, key } = await begin(bytes);
        await appendAll(staged, bytes.subarray(0, cut));
        await staged.sync();
        const saved = staged.ref;
        await appendAll(staged, bytes.subarray(cut, 2 * boundary + 1));
        const others = [await openAgain(), await openAgain()];
        const takeOver = (store: ObjectStore, fence: number) =>
          store.resume(saved, { durable: cut, takeover: true, fence });
        const dying = await takeOver(others[0] as ObjectStore, 2);
        await appendAll(dying, bytes.subarray(cut, 2 * boundary));
        const heir = await takeOver(others[1] as ObjectStore, 3);
        await appendAll(heir, bytes.subarray(cut));
        await heir.sync();
        expect(await heir.sha256()).toBe(sha256(bytes));
        await heir.commit(key);
        for (const former of [dying, staged]) await former.close();
        expect((await readAll(others[1] as ObjectStore, key)).equals(bytes)).toBe(true);
        for (const store of others) await store.close();
      });

      it('removes all that was staged', async () => {
        const { boundary, store, leftovers } = bucket();
        const bytes = someBytes(2 * boundary + 5);
        const { staged, key, uploadId } = await begin(bytes);
        await appendAll(staged, bytes.subarray(0, boundary + 5));
        await staged.sync();
        await staged.close();
        const { ref } = staged;
        const gone = { uploadId, key, ref };
        await store.discard(gone);
        await store.discard(gone);
        expect((await leftovers()).filter((name) => name.includes(uploadId))).toEqual([]);
        await expectError(store.resume(ref, { durable: boundary + 5, takeover: false }), 'not_found');
        expect(await store.stat(key)).toBeNull();
      });

      it('removes what a crash left before its ref was saved', async () => {
        const { boundary, store, openAgain, leftovers } = bucket();
        const bytes = someBytes(4 * boundary);
        const { staged, key, uploadId } = await begin(bytes);
        await appendAll(staged, bytes.subarray(0, 3 * boundary + 5));
        await staged.sync();
        const again = await openAgain();
        await again.discard({ uploadId, key, ref: null });
        await staged.close();
        await again.close();
        expect((await leftovers()).filter((name) => name.includes(uploadId))).toEqual([]);
        expect(await store.stat(key)).toBeNull();
      });

      it('does not pretend to have bytes that it lacks', async () => {
        const bytes = someBytes(1000);
        const { staged } = await begin(bytes);
        await appendAll(staged, bytes.subarray(0, 500));
        await staged.sync();
        await staged.close();
        const resumed = bucket().store.resume(staged.ref, { durable: 501, takeover: false });
        expect(await outcome(resumed)).toBe('storage_unavailable');
      });
    });

    it('refuses everything once it is closed', async () => {
      const { store } = bucket();
      const input = { uploadId: freshUploadId(), key: freshKey(), size: 100, contentType };
      const staged = await store.stage(input);
      await staged.append(Buffer.alloc(10));
      await staged.close();
      await staged.close();
      await expectError(staged.append(Buffer.alloc(1)), 'internal_error');
      expect(await outcome(staged.sync())).not.toBe('done');
      await store.discard({ ...input, ref: staged.ref });
    });

    it('writes many objects at a time', async () => {
      const { store } = bucket();
      const contents = Array.from({ length: 24 }, (_, index) => ({ key: freshKey(), bytes: someBytes(index * 700) }));
      await Promise.all(
        contents.map(async ({ key, bytes }) => {
          const staged = await store.stage({ uploadId: freshUploadId(), key, size: bytes.length, contentType });
          await staged.append(bytes);
          expect(await staged.sha256()).toBe(sha256(bytes));
          await staged.commit(key);
        }),
      );
      for (const { key, bytes } of contents) expect((await readAll(store, key)).equals(bytes)).toBe(true);
    });
  });
}
