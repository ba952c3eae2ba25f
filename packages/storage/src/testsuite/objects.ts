import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectError, freshKey, type OpenBucket, put, readAll, someBytes, useBucket } from './harness.ts';

const BAD_KEYS = [
  '',
  '/absolute',
  'trailing/',
  'a//b',
  '../escape',
  'a/../../b',
  'a/./b',
  '.',
  'nul\u0000',
  'back\\slash',
  'sp ace',
  'ünïcødé',
  'x'.repeat(1025),
];

/** Reading, copying, listing and removing what is there. */
export function describeObjects(open: OpenBucket): void {
  describe('objects', () => {
    const bucket = useBucket(open);

    it('has nothing under a key that was never written', async () => {
      const { store } = bucket();
      const key = freshKey();
      expect(await store.stat(key)).toBeNull();
      await expectError(store.read(key), 'not_found');
      await expectError(store.copy(key, freshKey()), 'not_found');
      await store.delete(key);
    });

    it.each(BAD_KEYS)('refuses the key %j', async (key) => {
      const { store } = bucket();
      const contentType = 'text/plain';
      await expectError(store.stat(key), 'invalid_path');
      await expectError(store.read(key), 'invalid_path');
      await expectError(store.delete(key), 'invalid_path');
      await expectError(store.copy(freshKey(), key), 'invalid_path', 'not_found');
      const staged = await store.stage({ uploadId: 'upl_bad', key, size: 0, contentType }).catch(() => null);
      if (staged) await expectError(staged.commit(key), 'invalid_path');
      await staged?.close();
      await store.discard({ uploadId: 'upl_bad', key: freshKey(), ref: staged?.ref ?? null });
    });

    it('tells size and time of an object', async () => {
      const { store } = bucket();
      const key = freshKey();
      await put(store, key, someBytes(1000));
      const stat = await store.stat(key);
      expect(stat).toMatchObject({ key, size: 1000 });
      // The provider's clock counts whole seconds, perhaps, and is another machine's.
      expect(Math.abs((stat?.lastModified ?? 0) - (performance.timeOrigin + performance.now()))).toBeLessThan(60_000);
    });

    it('gives any range back', async () => {
      const { store, boundary, runs = 20 } = bucket();
      const bytes = someBytes(2 * boundary + 17);
      const key = freshKey();
      await put(store, key, bytes);
      expect((await readAll(store, key)).equals(bytes)).toBe(true);
      const position = fc.oneof(
        fc.integer({ min: 0, max: bytes.length - 1 }),
        fc.constantFrom(0, 1, boundary - 1, boundary, bytes.length - 1),
      );
      await fc.assert(
        fc.asyncProperty(position, position, async (a, b) => {
          const range = { start: Math.min(a, b), end: Math.max(a, b) };
          expect((await readAll(store, key, range)).equals(bytes.subarray(range.start, range.end + 1))).toBe(true);
        }),
        { numRuns: runs },
      );
    });

    it('stops reading when asked to', async () => {
      const { store, boundary } = bucket();
      const key = freshKey();
      await put(store, key, someBytes(Math.max(2 * boundary, 2 * 1024 * 1024)));
      const stop = new AbortController();
      const body = await store.read(key, { signal: stop.signal });
      const [chunk] = await once(body, 'data');
      expect((chunk as Buffer).length).toBeGreaterThan(0);
      body.pause();
      const failed = once(body, 'error');
      stop.abort();
      expect((await failed)[0]).toMatchObject({ name: 'AbortError' });
      expect(body.destroyed).toBe(true);
    });

    it('can be left in the middle of reading', async () => {
      const { store, boundary } = bucket();
      const key = freshKey();
      await put(store, key, someBytes(2 * boundary));
      for (let i = 0; i < 20; i++) {
        const body = await store.read(key);
        body.destroy();
        if (!body.closed) await once(body, 'close');
      }
      expect((await readAll(store, key)).length).toBe(2 * boundary);
    });

    it('copies, and leaves the original', async () => {
      const { store, boundary } = bucket();
      const [from, to] = [freshKey('from'), freshKey('to')];
      const bytes = someBytes(boundary + 1);
      await put(store, from, bytes);
      await store.copy(from, to);
      await store.copy(from, to);
      await store.delete(from);
      expect((await readAll(store, to)).equals(bytes)).toBe(true);
      expect(await store.stat(from)).toBeNull();
    });

    it('removes what is there, and again', async () => {
      const { store } = bucket();
      const key = freshKey();
      await put(store, key, someBytes(10));
      await store.delete(key);
      await store.delete(key);
      expect(await store.stat(key)).toBeNull();
      await expectError(store.read(key), 'not_found');
    });

    it('lists in the order of keys, by any prefix', async () => {
      const { store } = bucket();
      const root = freshKey('list');
      const names = [
        'a',
        'a.b',
        'a/b',
        'a-b/c',
        'a/c/d',
        'A',
        'Z~',
        '0',
        'b=1',
        'b@2',
        'a+',
        'a,',
        'a%',
        '_',
        'a/b2',
        'a0',
      ];
      const keys = names.map((name) => `${root}/${name}`);
      // A local directory cannot hold a file and a folder of one name; keys that Carcosa makes never ask for that.
      const possible = keys.filter((key) => !keys.some((other) => other.startsWith(`${key}/`)));
      await Promise.all(possible.map((key) => put(store, key, Buffer.from(key))));
      const sorted = [...possible].sort();
      for (const prefix of ['', '/', '/a', '/a/', '/a/b', '/A', '/b', '/zz']) {
        const found: string[] = [];
        for await (const { key, size } of store.list(root + prefix)) {
          expect(size).toBe(key.length);
          found.push(key);
        }
        expect(found).toEqual(sorted.filter((key) => key.startsWith(root + prefix)));
      }
    });
  });
}
