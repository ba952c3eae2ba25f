import { ManualClock } from '@carcosa/kernel';
import { describe, expect, it } from 'vitest';
import { type ServedFile, ServedFileCache } from './served-file-cache.ts';

const file = (key: string, version: number, projectId = 'prj_a') =>
  ({ key, version, projectId }) as unknown as ServedFile;

/** A cache whose look-ups end when the test says so. */
function setUp() {
  const clock = new ManualClock();
  const loads: {
    key: string;
    version: number | null;
    answer: (found: ServedFile | null) => void;
    fail: (error: Error) => void;
  }[] = [];
  const load = (key: string, version: number | null) =>
    new Promise<ServedFile | null>((answer, fail) => loads.push({ key, version, answer, fail }));
  return { clock, loads, cache: new ServedFileCache({ clock, load }) };
}

async function remembered(
  { cache, loads }: ReturnType<typeof setUp>,
  found: ServedFile,
  version: number | null = null,
): Promise<void> {
  const pending = cache.get(found.key, version);
  loads.at(-1)?.answer(found);
  await pending;
}

describe('ServedFileCache', () => {
  it('asks once for those who come together, and answers at once afterwards', async () => {
    const { cache, loads } = setUp();
    const both = [cache.get('a', null), cache.get('a', null)];
    expect(loads).toHaveLength(1);
    loads[0]?.answer(file('a', 1));
    expect(await Promise.all(both)).toEqual([file('a', 1), file('a', 1)]);
    expect(cache.get('a', null)).toEqual(file('a', 1));
    expect(cache.get('a', 1)).toBeInstanceOf(Promise);
  });

  it('remembers neither what is not there nor a failure', async () => {
    const { cache, loads } = setUp();
    const missing = cache.get('a', null);
    loads[0]?.answer(null);
    expect(await missing).toBeNull();
    const failing = cache.get('a', null);
    loads[1]?.fail(new Error('down'));
    await expect(failing).rejects.toThrow('down');
    expect(cache.get('a', null)).toBeInstanceOf(Promise);
    expect(loads).toHaveLength(3);
  });

  it('forgets a file with its versions, a project, or all', async () => {
    const set = setUp();
    const { cache } = set;
    const fill = async () => {
      await remembered(set, file('a', 2));
      await remembered(set, file('a', 1), 1);
      await remembered(set, file('b', 1, 'prj_b'));
    };
    const known = () =>
      [cache.get('a', null), cache.get('a', 1), cache.get('b', null)].map((found) => !(found instanceof Promise));
    await fill();
    expect(known()).toEqual([true, true, true]);
    cache.forget(['a']);
    expect(known()).toEqual([false, false, true]);
    cache.forget();
    await fill();
    cache.forgetProject('prj_a');
    expect(known()).toEqual([false, false, true]);
    cache.forget();
    expect(known()).toEqual([false, false, false]);
  });

  it.each([
    ['the file', (cache: ServedFileCache) => cache.forget(['a'])],
    ['everything', (cache: ServedFileCache) => cache.forget()],
    ['a project', (cache: ServedFileCache) => cache.forgetProject('prj_a')],
  ])('does not remember what was read before %s was changed', async (_what, change) => {
    const { cache, loads } = setUp();
    const old = cache.get('a', null);
    change(cache);
    const fresh = cache.get('a', null);
    expect(loads).toHaveLength(2);
    loads[1]?.answer(file('a', 2));
    await fresh;
    loads[0]?.answer(file('a', 1));
    await old;
    expect(cache.get('a', null)).toEqual(file('a', 2));
  });

  it('asks again after a while', async () => {
    const set = setUp();
    await remembered(set, file('a', 1));
    set.clock.advance(10_000);
    expect(set.cache.get('a', null)).toBeInstanceOf(Promise);
  });

  it('is bounded in files and versions', async () => {
    const set = setUp();
    for (let i = 0; i <= 4096; i++) await remembered(set, file(`k${i}`, 1));
    expect(set.cache.get('k0', null)).toBeInstanceOf(Promise);
    expect(set.cache.get('k1', null)).toEqual(file('k1', 1));
    for (let v = 1; v <= 17; v++) await remembered(set, file('k1', v), v);
    expect(set.cache.get('k1', 17)).toEqual(file('k1', 17));
    expect(set.cache.get('k1', 1)).toBeInstanceOf(Promise);
  });
});
