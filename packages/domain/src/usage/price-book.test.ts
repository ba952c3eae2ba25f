import { DEFAULT_PRICES } from '@carcosa/contracts';
import { expect, it } from 'vitest';
import { NO_USAGE } from './cost.ts';
import { billFor, PriceBook } from './price-book.ts';

const uploads = (price: number) => ({ uploads: { price, per: 1 } });

it('has in each month what was set last until then, of the organization before that of the server', () => {
  const book = new PriceBook([
    { organizationId: '', month: '2026-02', currency: 'EUR', prices: uploads(2) },
    { organizationId: 'org_1', month: '2026-03', currency: null, prices: uploads(3) },
    { organizationId: '', month: '2026-04', currency: 'CHF', prices: { downloads: { price: 1, per: 1 } } },
    { organizationId: 'org_1', month: '2026-05', currency: null, prices: {} },
  ]);
  const seen = ['2026-01', '2026-02', '2026-03', '2026-04', '2026-05'].map((month) => [
    book.currencyIn(month),
    book.pricesIn(month).uploads.price,
    book.pricesIn(month).downloads.price,
  ]);
  const { uploads: own, downloads } = DEFAULT_PRICES;
  expect(seen).toEqual([
    ['USD', own.price, downloads.price],
    ['EUR', 2, downloads.price],
    ['EUR', 3, downloads.price],
    ['CHF', 3, 1],
    ['CHF', own.price, 1],
  ]);
});

it('takes what was stored in another form for none', () => {
  const book = new PriceBook([{ organizationId: '', month: '2026-01', currency: null, prices: { uploads: 'free' } }]);
  expect(book.pricesIn('2026-01')).toEqual(DEFAULT_PRICES);
});

it('bills each month at its prices, and names a price only where there is one', () => {
  const book = new PriceBook([
    { organizationId: '', month: '2026-01', currency: null, prices: uploads(1) },
    { organizationId: '', month: '2026-02', currency: null, prices: uploads(10) },
  ]);
  const bill = billFor(book, { '2026-01': { ...NO_USAGE, uploads: 3 }, '2026-02': { ...NO_USAGE, uploads: 2 } });
  expect(bill.totals.uploads).toBe(5);
  expect(bill.cost).toBe(23);
  expect(bill.lines[0]).toEqual({ metric: 'uploads', unit: 'upload', quantity: 5, price: null, per: null, cost: 23 });
  expect(bill.lines[1]).toMatchObject({ metric: 'downloads', price: DEFAULT_PRICES.downloads.price });
});
