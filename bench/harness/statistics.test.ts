import { describe, expect, it } from 'vitest';
import { median, pairedRatio } from './statistics.ts';

describe('median', () => {
  it('takes the middle of an odd number and the mean of the middle two of an even one', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('refuses an empty list', () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('pairedRatio', () => {
  it('compares within a round, so that a slow round does not count', () => {
    expect(pairedRatio([200, 20, 200], [100, 10, 100])).toBe(2);
  });

  it('leaves out rounds that only one side ran', () => {
    expect(pairedRatio([4, 4, 400], [2, 2])).toBe(2);
  });
});
