import {
  type Invoice,
  type InvoiceQuery,
  type InvoiceSummary,
  USAGE_METRIC_NAMES,
  USAGE_METRICS,
  type UsageFigures,
  UsageMonth,
} from '@carcosa/contracts';
import { foldUsage, listPrices, type Queryable, readUsage } from '@carcosa/database';
import { CarcosaError, toIsoString } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import { csvLine } from '../audit/csv.ts';
import { monthOf } from '../quotas/month.ts';
import { AMOUNT_DIGITS, costOf, NO_USAGE, sumOf } from './cost.ts';
import { PriceBook } from './price-book.ts';
import type { UsageMeter } from './usage-meter.ts';
import { type Sight, type UsageScopeParts, usageSight } from './usage-scope.ts';

/** Months that are listed. */
const LISTED_MONTHS = 36;

export interface InvoiceServiceParts extends UsageScopeParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  meter: UsageMeter;
}

/** What each month cost, from what was used in it and the prices of that month. */
export class InvoiceService {
  readonly #parts: InvoiceServiceParts;

  constructor(parts: InvoiceServiceParts) {
    this.#parts = parts;
  }

  /** Months in which something was used, the newest first. */
  async list(actor: Actor, query: InvoiceQuery): Promise<InvoiceSummary[]> {
    const sight = await this.#see(actor, query);
    const { period } = monthOf(this.#parts.clock.now());
    const first = monthOf(Date.UTC(Number(period.slice(0, 4)), Number(period.slice(5)) - LISTED_MONTHS, 1)).period;
    const months = await this.#read(sight, first, period);
    const book = await this.#book(sight);
    return Object.keys(months)
      .sort()
      .reverse()
      .map((month) => {
        const { lines: _, ...summary } = this.#bill(book, month, months[month] ?? NO_USAGE);
        return summary;
      });
  }

  /** @throws CarcosaError `not_found` for a month that has not begun */
  async get(actor: Actor, month: string, query: InvoiceQuery): Promise<Invoice> {
    const { clock } = this.#parts;
    const sight = await this.#see(actor, query);
    if (!UsageMonth.safeParse(month).success || month > monthOf(clock.now()).period)
      throw new CarcosaError('not_found');
    const months = await this.#read(sight, month, month);
    const { organizationId, projectId = null } = sight;
    const bill = this.#bill(await this.#book(sight), month, months[month] ?? NO_USAGE);
    return { ...bill, organizationId, projectId, issuedAt: toIsoString(clock.now()) };
  }

  #bill(book: PriceBook, month: string, figures: UsageFigures): InvoiceSummary & Pick<Invoice, 'lines'> {
    const prices = book.pricesIn(month);
    const lines = USAGE_METRIC_NAMES.map((metric) => {
      const { price, per } = prices[metric];
      const quantity = figures[metric];
      const amount = costOf(quantity, { price, per }, AMOUNT_DIGITS);
      return { metric, unit: USAGE_METRICS[metric].unit, quantity, price, per, amount };
    });
    const total = sumOf(
      lines.map(({ amount }) => amount),
      AMOUNT_DIGITS,
    );
    const isFinal = month < monthOf(this.#parts.clock.now()).period;
    return { month, currency: book.currencyIn(month), total, isFinal, lines };
  }

  async #see(actor: Actor, query: InvoiceQuery): Promise<Sight> {
    const sight = await usageSight(this.#parts, actor, query);
    if (!sight.isConfined) return sight;
    throw new CarcosaError('forbidden', {
      message: 'Invoices are of whole projects, and this key is confined to a tenant.',
    });
  }

  async #book({ organizationId }: Sight): Promise<PriceBook> {
    return new PriceBook(await listPrices(this.#parts.db, organizationId));
  }

  async #read(
    { organizationId, projectId }: Sight,
    first: string,
    last: string,
  ): Promise<Record<string, UsageFigures>> {
    const { db, transaction, meter, clock } = this.#parts;
    const now = clock.now();
    await meter.flush();
    await transaction((tx) => foldUsage(tx, now));
    const scope = { organizationId, projectId, from: `${first}-01`, to: lastDayOf(last) };
    const [row] = await readUsage(db, { ...scope, by: 'all', sort: null, limit: 1, now });
    return row?.months ?? {};
  }
}

function lastDayOf(month: string): string {
  const next = Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 1);
  return toIsoString(next - 1).slice(0, 10);
}

/** An invoice as CSV: a line for each metric, and the total at the end. */
export function invoiceCsv({ month, organizationId, projectId, currency, lines, total }: Invoice): string {
  const place = [month, organizationId, projectId] as const;
  return [
    csvLine([
      'month',
      'organizationId',
      'projectId',
      'metric',
      'unit',
      'quantity',
      'price',
      'per',
      'amount',
      'currency',
    ]),
    ...lines.map(({ metric, unit, quantity, price, per, amount }) =>
      csvLine([...place, metric, unit, quantity, price, per, amount.toFixed(AMOUNT_DIGITS), currency]),
    ),
    csvLine([...place, 'total', null, null, null, null, total.toFixed(AMOUNT_DIGITS), currency]),
  ].join('');
}
