import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AMOUNT_DIGITS, COST_DIGITS, costOf, sumOf } from './cost.ts';

describe('costOf', () => {
  it.each([
    [1_000_000_000, { price: 0.05, per: 1_000_000_000 }, COST_DIGITS, 0.05],
    [1, { price: 0.005, per: 1000 }, COST_DIGITS, 0.000005],
    // Half a hundredth is rounded up, however binary fractions write it.
    [1, { price: 1.005, per: 1 }, AMOUNT_DIGITS, 1.01],
    [0.5, { price: 0.01, per: 1 }, AMOUNT_DIGITS, 0.01],
    [0.499, { price: 0.01, per: 1 }, AMOUNT_DIGITS, 0],
    // A petabyte for a year, in byte-hours: beyond what numbers hold exactly as a product.
    [8.76e18, { price: 0.02, per: 730_000_000_000 }, AMOUNT_DIGITS, 240_000],
    [0, { price: 1_000_000, per: 1 }, AMOUNT_DIGITS, 0],
  ])('of %d at %o to %d digits is %d', (quantity, price, digits, cost) => {
    expect(costOf(quantity, price, digits)).toBe(cost);
  });

  it('is within half of the last digit of the true one, for any quantity and price', () => {
    const quantity = fc.integer({ min: 0, max: 1_000_000_000 });
    const price = fc.record({
      price: fc.integer({ min: 0, max: 1_000_000 }).map((micros) => micros / 1_000_000),
      per: fc.integer({ min: 1, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(quantity, price, (units, each) => {
        const truth = (units * each.price) / each.per;
        expect(Math.abs(costOf(units, each, AMOUNT_DIGITS) - truth)).toBeLessThanOrEqual(0.005 + truth * 1e-12);
      }),
    );
  });
});

describe('sumOf', () => {
  it('has no dust of binary fractions', () => {
    expect(sumOf([0.1, 0.2, 0.3], AMOUNT_DIGITS)).toBe(0.6);
    expect(
      sumOf(
        Array.from({ length: 1000 }, () => 0.01),
        AMOUNT_DIGITS,
      ),
    ).toBe(10);
  });
});
