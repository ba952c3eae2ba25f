import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@carcosa/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VariantCache, type VariantCacheOptions, variantName } from './variant-cache.ts';

const BLOCK = 4096;
const nameOf = (text: string): string => createHash('sha256').update(text).digest('hex');

let directory: string;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'carcosa-variants-')), 'transforms');
});
afterEach(() => rm(join(directory, '..'), { recursive: true }));

const cacheOf = (options: Partial<VariantCacheOptions> = {}): VariantCache =>
  new VariantCache({ directory, maxBytes: 100 * BLOCK, clock: systemClock, logger: silentLogger, ...options });

async function keep(cache: VariantCache, text: string, bytes: Uint8Array = Buffer.from(text)): Promise<void> {
  const place = await cache.place();
  await writeFile(place, bytes);
  await cache.keep(place, nameOf(text));
  await cache.settled();
}

/** The content, if it is kept. */
async function contentOf(cache: VariantCache, text: string): Promise<string | null> {
  const body = await cache.get(nameOf(text));
  if (!body) return null;
  if ('bytes' in body) return body.bytes.toString();
  const handle = await body.open();
  const content = await handle.readFile('utf8');
  await handle.close();
  return content;
}

async function filesOnDisk(): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe('VariantCache', () => {
  it('gives back what it keeps, and nothing else', async () => {
    const cache = cacheOf();
    expect(await contentOf(cache, 'a')).toBeNull();
    await keep(cache, 'a');
    expect(await contentOf(cache, 'a')).toBe('a');
    expect(await contentOf(cache, 'b')).toBeNull();
  });

  it('lets go of what was not asked for longest when its bytes are used up', async () => {
    const cache = cacheOf({ maxBytes: 3 * BLOCK });
    for (const text of ['a', 'b', 'c']) await keep(cache, text);
    expect(await contentOf(cache, 'a')).toBe('a');
    await keep(cache, 'd');
    expect(await Promise.all(['a', 'b', 'c', 'd'].map((text) => contentOf(cache, text)))).toEqual([
      'a',
      null,
      'c',
      'd',
    ]);
    expect((await filesOnDisk()).sort()).toEqual(['a', 'c', 'd'].map(nameOf).sort());
    expect(cache.statistics).toMatchObject({ entries: 3, bytes: 3 * BLOCK });
  });

  it('keeps no more results than it may, however small', async () => {
    const cache = cacheOf({ maxEntries: 5 });
    for (let at = 0; at < 20; at++) await keep(cache, String(at));
    expect(cache.statistics.entries).toBe(5);
    expect(await filesOnDisk()).toHaveLength(5);
  });

  it('serves a result that is larger than all it may keep', async () => {
    const cache = cacheOf({ maxBytes: 0 });
    await keep(cache, 'a');
    expect(await contentOf(cache, 'a')).toBe('a');
    await keep(cache, 'b');
    expect(await filesOnDisk()).toEqual([nameOf('b')]);
  });

  it('holds no more in memory than it may, and large results not at all', async () => {
    const cache = cacheOf({ maxMemoryBytes: 10_000, maxBytes: 10 ** 8 });
    for (let at = 0; at < 5; at++) await keep(cache, `small ${at}`, Buffer.alloc(4000, 'x'));
    expect(cache.statistics.memoryBytes).toBe(8000);
    await keep(cache, 'large', Buffer.alloc(3_000_000, 'y'));
    expect(cache.statistics.memoryBytes).toBe(8000);
    expect(await contentOf(cache, 'large')).toHaveLength(3_000_000);
    expect(await contentOf(cache, 'small 0')).toHaveLength(4000);
  });

  it('finds its results after a restart in the order of their use, and removes what was not finished', async () => {
    const cache = cacheOf();
    for (const text of ['a', 'b', 'c']) await keep(cache, text);
    await writeFile(await cache.place(), 'half');
    // As a use of long ago would have left it.
    for (const [text, second] of [
      ['b', 1],
      ['c', 2],
      ['a', 3],
    ] as const) {
      await utimes(join(directory, nameOf(text).slice(0, 2), nameOf(text)), second, second);
    }
    const restarted = cacheOf({ maxBytes: 2 * BLOCK });
    expect(await contentOf(restarted, 'b')).toBeNull();
    expect(await contentOf(restarted, 'c')).toBe('c');
    expect(await contentOf(restarted, 'a')).toBe('a');
    expect((await filesOnDisk()).sort()).toEqual(['a', 'c'].map(nameOf).sort());
  });

  it('makes again what somebody deleted beneath it, and leaves what is not its own', async () => {
    const cache = cacheOf({ maxMemoryBytes: 0 });
    await keep(cache, 'a');
    await rm(join(directory, nameOf('a').slice(0, 2)), { recursive: true });
    expect(await contentOf(cache, 'a')).toBeNull();
    await mkdir(join(directory, 'ab'), { recursive: true });
    await writeFile(join(directory, 'ab', 'notes.txt'), 'mine');
    await keep(cache, 'a');
    const restarted = cacheOf({ maxBytes: 0 });
    expect(await contentOf(restarted, 'a')).toBe('a');
    expect(await filesOnDisk()).toContain('notes.txt');
  });

  it('has a small result at once, before it lies on stable storage', async () => {
    const cache = cacheOf();
    const place = await cache.place();
    await writeFile(place, 'a');
    const body = await cache.keep(place, nameOf('a'));
    expect('bytes' in body && body.bytes.toString()).toBe('a');
    expect(await contentOf(cache, 'a')).toBe('a');
    await cache.settled();
    expect(await filesOnDisk()).toEqual([nameOf('a')]);
  });

  it('purges what belongs to a content or a project, and nothing else', async () => {
    const cache = cacheOf();
    const own = async (objectId: string, projectId: string, what: string): Promise<void> => {
      const place = await cache.place();
      await writeFile(place, what);
      await cache.keep(place, variantName({ objectId, projectId }, what));
    };
    await own('obj_1', 'prj_1', 'w_1');
    await own('obj_1', 'prj_1', 'w_2');
    await own('obj_2', 'prj_1', 'w_1');
    await own('obj_3', 'prj_2', 'w_1');
    expect(await cache.purge({ objectId: 'obj_1' })).toBe(2);
    expect(await filesOnDisk()).toHaveLength(2);
    expect(await cache.purge({ projectId: 'prj_1' })).toBe(1);
    expect(await cache.purge({ projectId: 'prj_1' })).toBe(0);
    expect(await filesOnDisk()).toEqual([variantName({ objectId: 'obj_3', projectId: 'prj_2' }, 'w_1')]);
    expect(cache.statistics).toMatchObject({ entries: 1, purged: 3, evicted: 0 });
  });
});
