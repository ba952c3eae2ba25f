import {
  type CostLine,
  DEFAULT_CURRENCY,
  DEFAULT_PRICES,
  type Price,
  Prices,
  USAGE_METRIC_NAMES,
  USAGE_METRICS,
  type UsageFigures,
  type UsageMetric,
} from '@carcosa/contracts';
import type { PriceRow } from '@carcosa/database';
import { addUsage, COST_DIGITS, costOf, NO_USAGE, sumOf } from './cost.ts';

export type AllPrices = Readonly<Record<UsageMetric, Price>>;

/** What an organization pays in each month: what was changed holds from its month on, so that months that are over stay as they were. */
export class PriceBook {
  readonly #rows: readonly PriceRow[];

  /** @param rows of the server and of one organization, the oldest first */
  constructor(rows: readonly PriceRow[]) {
    this.#rows = rows;
  }

  /** @param month as 2026-11 */
  pricesIn(month: string): AllPrices {
    return { ...DEFAULT_PRICES, ...this.#set(month, true), ...this.#set(month, false) };
  }

  currencyIn(month: string): string {
    const set = this.#rows.filter((row) => row.organizationId === '' && row.month <= month && row.currency !== null);
    return set.at(-1)?.currency ?? DEFAULT_CURRENCY;
  }

  /** What was set at that level alone. */
  setIn(month: string, level: 'server' | 'organization'): Prices {
    return this.#set(month, level === 'server');
  }

  #set(month: string, isServer: boolean): Prices {
    const row = this.#rows.findLast((each) => (each.organizationId === '') === isServer && each.month <= month);
    // What was stored in another form counts as none.
    return Prices.safeParse(row?.prices ?? {}).data ?? {};
  }
}

/** What was used in some months, and what it costs. */
export interface Bill {
  totals: UsageFigures;
  cost: number;
  lines: CostLine[];
}

export function billFor(book: PriceBook, months: Readonly<Record<string, UsageFigures>>): Bill {
  const entries = Object.entries(months);
  const totals = entries.reduce((sum, [, figures]) => addUsage(sum, figures), NO_USAGE);
  const lines = USAGE_METRIC_NAMES.map((metric): CostLine => {
    const prices = entries.map(([month]) => book.pricesIn(month)[metric]);
    const [first] = prices;
    const isOne = prices.every(({ price, per }) => price === first?.price && per === first.per);
    const costs = entries.map(([, figures], at) => costOf(figures[metric], prices[at] as Price, COST_DIGITS));
    return {
      ...{ metric, unit: USAGE_METRICS[metric].unit, quantity: totals[metric] },
      price: isOne ? (first?.price ?? null) : null,
      per: isOne ? (first?.per ?? null) : null,
      cost: sumOf(costs, COST_DIGITS),
    };
  });
  return {
    totals,
    lines,
    cost: sumOf(
      lines.map(({ cost }) => cost),
      COST_DIGITS,
    ),
  };
}
