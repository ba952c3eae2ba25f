import { PRICE_DIGITS, type Price, USAGE_METRIC_NAMES, type UsageFigures } from '@carcosa/contracts';

/** Quantities are kept to a thousandth. */
const QUANTITY_SCALE = 1000;

/** Digits after the point of a cost, and of an amount on an invoice. */
export const COST_DIGITS = 6;
export const AMOUNT_DIGITS = 2;

/** What a quantity costs, computed in whole numbers and rounded half up to so many digits. */
export function costOf(quantity: number, { price, per }: Price, digits: number): number {
  const dividend =
    BigInt(Math.round(quantity * QUANTITY_SCALE)) *
    BigInt(Math.round(price * 10 ** PRICE_DIGITS)) *
    10n ** BigInt(digits);
  const divisor = BigInt(QUANTITY_SCALE) * 10n ** BigInt(PRICE_DIGITS) * BigInt(per);
  return Number((2n * dividend + divisor) / (2n * divisor)) / 10 ** digits;
}

/** Sums without the dust of binary fractions. */
export function sumOf(amounts: readonly number[], digits: number): number {
  return amounts.reduce((sum, amount) => sum + Math.round(amount * 10 ** digits), 0) / 10 ** digits;
}

export const NO_USAGE: UsageFigures = Object.freeze(
  Object.fromEntries(USAGE_METRIC_NAMES.map((metric) => [metric, 0])) as unknown as UsageFigures,
);

export function addUsage(one: UsageFigures, other: UsageFigures): UsageFigures {
  return Object.fromEntries(
    USAGE_METRIC_NAMES.map((metric) => [metric, one[metric] + other[metric]]),
  ) as unknown as UsageFigures;
}
