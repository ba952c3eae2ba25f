import { ManualClock, type Random, systemRandom } from '@carcosa/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LimitPolicy } from './limit-store.ts';
import { MemoryLimitStore } from './memory-limit-store.ts';
import { RING_SLOTS } from './sliding-window.ts';

const WINDOW = 900_000;
const SLOT = WINDOW / 15;
const POLICY: LimitPolicy = { name: 'test', index: 0, windowMs: WINDOW };

const fixedRandom: Random = { bytes: (length) => new Uint8Array(length).fill(7) };
const newStore = (clock: ManualClock, capacity?: number) =>
  new MemoryLimitStore({ clock, random: systemRandom, ...(capacity === undefined ? {} : { capacity }) });

/** Pauses that stay within a slot, cross some, and pass whole windows. */
const pause = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 2_000 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 3 * SLOT }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 * WINDOW }) },
);

describe('the sliding window', () => {
  it('never lets more than the limit through any window, and nobody wait longer than one slot beyond an exact log', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(pause, { maxLength: 300 }), (limit, pauses) => {
        const clock = new ManualClock();
        const store = newStore(clock);
        const passed: number[] = [];
        for (const milliseconds of pauses) {
          clock.advance(milliseconds);
          const now = clock.now();
          const within = (length: number) => passed.filter((at) => at > now - length).length;
          const { allowed } = store.take(POLICY, 'caller', limit);
          if (allowed) expect(within(WINDOW)).toBeLessThan(limit);
          else expect(within(WINDOW + SLOT)).toBeGreaterThanOrEqual(limit);
          if (allowed) passed.push(now);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('says how many are left, and when the next one passes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(pause, { minLength: 10, maxLength: 60 }),
        (limit, pauses) => {
          const clock = new ManualClock();
          const store = newStore(clock);
          for (const milliseconds of pauses) {
            clock.advance(milliseconds);
            const before = store.peek(POLICY, 'caller', limit);
            expect(store.peek(POLICY, 'caller', limit)).toEqual(before);
            const taken = store.take(POLICY, 'caller', limit);
            expect(taken.allowed).toBe(before.allowed);
            expect(taken.used).toBe(before.used + (before.allowed ? 1 : 0));
            if (taken.allowed) continue;
            expect(taken.resetAt).toBe(clock.now() + taken.waitMs);
            // A look changes nothing, so the clock may go there and come back.
            clock.advance(taken.waitMs - 1);
            expect(store.peek(POLICY, 'caller', limit).allowed).toBe(false);
            clock.advance(1);
            expect(store.peek(POLICY, 'caller', limit).allowed).toBe(true);
            clock.advance(-taken.waitMs);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('counts on where a clock is set back by less than a window, and begins anew beyond', () => {
    const clock = new ManualClock();
    const store = newStore(clock);
    for (let each = 0; each < 3; each++) expect(store.take(POLICY, 'caller', 3).allowed).toBe(true);
    clock.advance(-WINDOW / 2);
    expect(store.take(POLICY, 'caller', 3)).toMatchObject({ allowed: false, used: 3 });
    clock.advance(-2 * WINDOW);
    expect(store.take(POLICY, 'caller', 3)).toMatchObject({ allowed: true, used: 1 });
  });

  it('takes each limit as it is given: a lower one refuses at once, a higher one lets pass', () => {
    const store = newStore(new ManualClock());
    for (let each = 0; each < 5; each++) store.take(POLICY, 'caller', 5);
    expect(store.take(POLICY, 'caller', 2)).toMatchObject({ allowed: false, used: 5, limit: 2 });
    expect(store.take(POLICY, 'caller', 6)).toMatchObject({ allowed: true, used: 6 });
    expect(store.take(POLICY, 'stranger', 0)).toMatchObject({ allowed: false, waitMs: expect.any(Number) });
  });

  it('keeps callers and tiers apart, and forgets one that is reset', () => {
    const store = newStore(new ManualClock());
    const other: LimitPolicy = { name: 'other', index: 1, windowMs: 3_600_000 };
    store.take(POLICY, 'caller', 1);
    expect(store.take(POLICY, 'caller', 1).allowed).toBe(false);
    expect(store.take(POLICY, 'callers', 1).allowed).toBe(true);
    expect(store.take(other, 'caller', 1).allowed).toBe(true);
    store.reset(POLICY, 'caller');
    expect(store.take(POLICY, 'caller', 1).allowed).toBe(true);
    expect(store.take(other, 'caller', 1).allowed).toBe(false);
  });
});

describe('bounded memory', () => {
  const CAPACITY = 1024;

  it('remembers offenders while any number of others come and go', () => {
    const clock = new ManualClock();
    const store = new MemoryLimitStore({ clock, random: fixedRandom, capacity: CAPACITY });
    const offenders = Array.from({ length: 100 }, (_, each) => `offender ${each}`);
    for (const offender of offenders) for (let each = 0; each < 10; each++) store.take(POLICY, offender, 10);
    for (let each = 0; each < 50 * CAPACITY; each++) store.take(POLICY, `passer-by ${each}`, 10);
    for (const offender of offenders) expect(store.take(POLICY, offender, 10).allowed, offender).toBe(false);
    expect(store.size).toBeLessThanOrEqual(CAPACITY);
  });

  it('lets newcomers share counters where all room belongs to offenders: refused early, never let through too often', () => {
    const clock = new ManualClock();
    const store = new MemoryLimitStore({ clock, random: fixedRandom, capacity: CAPACITY });
    for (let each = 0; each < CAPACITY - 256; each++)
      for (let turn = 0; turn < 10; turn++) store.take(POLICY, `offender ${each}`, 10);
    let passed = 0;
    for (let each = 0; each < 1000; each++) if (store.take(POLICY, `newcomer ${each}`, 10).allowed) passed++;
    expect(passed).toBe(10 * 16);
    clock.advance(WINDOW + SLOT);
    expect(store.take(POLICY, 'newcomer 1', 10)).toMatchObject({ allowed: true, used: 1 });
  });

  it('finds every caller that it keeps, however records are given away and taken', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2000 }), { minLength: 500, maxLength: 1500 }), (callers) => {
        const clock = new ManualClock();
        const store = newStore(clock, 512);
        const last = new Map<number, number>();
        callers.forEach((caller, turn) => {
          if (turn % 300 === 299) clock.advance(RING_SLOTS * SLOT);
          if (turn % 300 === 299) last.clear();
          // Far below the limit, so that nobody has to share.
          const { used } = store.take(POLICY, `caller ${caller}`, 10_000);
          const count = (last.get(caller) ?? 0) + 1;
          expect(used, 'forgotten at worst, never counted twice').toBeLessThanOrEqual(count);
          expect(store.peek(POLICY, `caller ${caller}`, 10_000).used).toBe(used);
          last.set(caller, count);
        });
      }),
      { numRuns: 30 },
    );
  });
});
