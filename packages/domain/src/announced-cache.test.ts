import { ManualClock } from '@carcosa/kernel';
import { expect, it } from 'vitest';
import { AnnouncedCache } from './announced-cache.ts';

function world(size = 2) {
  const clock = new ManualClock(0);
  const stored = new Map<string, number>([
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ]);
  const loads: string[] = [];
  let hold: Promise<void> = Promise.resolve();
  const cache = new AnnouncedCache<string, number>({
    ...{ clock, size, lifetimeMs: 1000 },
    load: async (id) => {
      loads.push(id);
      const value = stored.get(id) ?? null;
      await hold;
      return value;
    },
  });
  const holding = (): (() => void) => {
    let release = () => {};
    hold = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  };
  return { cache, clock, stored, loads, holding };
}

it('asks once, and again when the time is over', async () => {
  const { cache, clock, loads } = world();
  expect(await cache.get('a')).toBe(1);
  expect(cache.get('a')).toBe(1);
  clock.advance(1000);
  expect(await cache.get('a')).toBe(1);
  expect(loads).toEqual(['a', 'a']);
});

it('asks again for what there is not', async () => {
  const { cache, loads } = world();
  expect([await cache.get('x'), await cache.get('x')]).toEqual([null, null]);
  expect(loads).toEqual(['x', 'x']);
});

it('does not remember what was read before a change that it heard of meanwhile', async () => {
  const { cache, stored, holding } = world();
  const release = holding();
  const reading = cache.get('a');
  stored.set('a', 10);
  cache.invalidate('a');
  release();
  expect(await reading).toBe(1);
  expect(await cache.get('a')).toBe(10);
});

it('keeps no more than it may', async () => {
  const { cache, loads } = world();
  for (const id of ['a', 'b', 'c']) await cache.get(id);
  expect([cache.get('b'), cache.get('c')]).toEqual([2, 3]);
  await cache.get('a');
  expect(loads).toEqual(['a', 'b', 'c', 'a']);
});

it('forgets everything when announcements may have been lost', async () => {
  const { cache, stored } = world();
  await cache.get('a');
  stored.set('a', 10);
  cache.invalidate();
  expect(await cache.get('a')).toBe(10);
});
