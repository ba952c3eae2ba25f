import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Segment, segmentsLength } from './staged-state.ts';
import { cutTail, keepLarger } from './tail.ts';

it('writes each byte few times however a tail grows', () => {
  const growths = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(growths, (steps) => {
      let tail: Segment[] = [];
      let length = 0;
      let written = 0;
      for (const step of steps) {
        length += step;
        const kept = keepLarger(tail, length);
        const size = length - segmentsLength(kept);
        written += size;
        tail = [...kept, { key: String(length), size }];
      }
      const rounds = Math.log2(length) + 1;
      expect(segmentsLength(tail)).toBe(length);
      expect(tail.length).toBeLessThanOrEqual(rounds);
      expect(written).toBeLessThanOrEqual(length * rounds);
    }),
  );
});

it('cuts a tail anywhere', () => {
  const tail = [10, 5, 1].map((size, index) => ({ key: String(index), size }));
  expect(cutTail(tail, 16)).toEqual(tail);
  expect(cutTail(tail, 12)).toEqual([
    { key: '0', size: 10 },
    { key: '1', size: 2 },
  ]);
  expect(cutTail(tail, 10)).toEqual([{ key: '0', size: 10 }]);
  expect(cutTail(tail, 0)).toEqual([]);
});
