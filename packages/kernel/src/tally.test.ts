import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Histogram } from './tally.ts';

it('a histogram puts each value into the first bucket whose bound is not below it', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer()), fc.array(fc.integer()), (unsorted, values) => {
      const bounds = unsorted.sort((a, b) => a - b);
      const histogram = new Histogram(bounds);
      for (const value of values) histogram.observe(value);
      const expected = [...bounds, Number.POSITIVE_INFINITY].map(
        (bound, index) => values.filter((value) => value <= bound && value > (bounds[index - 1] ?? -Infinity)).length,
      );
      expect(histogram.counts).toEqual(expected);
      expect(histogram.count).toBe(values.length);
      expect(histogram.sum).toBe(values.reduce((sum, value) => sum + value, 0));
    }),
  );
});
