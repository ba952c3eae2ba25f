import {
  type ExportUsageQuery,
  USAGE_METRIC_NAMES,
  type UsageBreakdown,
  type UsageBreakdownQuery,
  type UsageFigures,
  type UsageItem,
  type UsageOverview,
  type UsageQuery,
  type UsageTrends,
  type UsageTrendsQuery,
} from '@carcosa/contracts';
import {
  exportUsage,
  findStoredBytes,
  findUsageNames,
  foldUsage,
  listPrices,
  type Queryable,
  readUsage,
  type UsageLine,
  type UsageReading,
  type UsageRow,
  type UsageScope,
} from '@carcosa/database';
import type { Actor } from '../access/actor.ts';
import { decodeCursor, encodeCursor } from '../files/cursor.ts';
import { billFor, PriceBook } from './price-book.ts';
import { USAGE_FORMATS } from './usage-format.ts';
import type { UsageMeter } from './usage-meter.ts';
import { dayAfter, daysBetween, type Sight, type UsageScopeParts, usageDays, usageSight } from './usage-scope.ts';

/** Rows that an export reads at once. */
const EXPORT_BATCH = 500;

export interface UsageServiceParts extends UsageScopeParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  meter: UsageMeter;
}

interface Asked {
  sight: Sight;
  scope: UsageScope;
  book: PriceBook;
  currency: string;
  now: number;
}

/** Tells what was used and what it costs. Exact for what files add and take away; of the rest, other nodes' last seconds are missing. */
export class UsageService {
  readonly #parts: UsageServiceParts;

  constructor(parts: UsageServiceParts) {
    this.#parts = parts;
  }

  async overview(actor: Actor, query: UsageQuery): Promise<UsageOverview> {
    const { scope, book, currency, now } = await this.#ask(actor, query);
    const bill = billFor(book, await this.#total(scope, now));
    const storedBytes = await findStoredBytes(this.#parts.db, scope);
    const { from, to } = scope;
    return { from, to, currency, totals: bill.totals, cost: bill.cost, lines: bill.lines, storedBytes };
  }

  async breakdown(actor: Actor, query: UsageBreakdownQuery): Promise<UsageBreakdown> {
    const { by, limit, cursor } = query;
    const { sight, scope, book, currency, now } = await this.#ask(actor, query);
    const sort = query.sort === 'value' ? null : query.sort;
    const list = `usage ${by} ${query.sort}`;
    const [rank, value] = cursor === undefined ? [] : decodeRank(list, cursor);
    const after = rank === undefined || value === undefined ? undefined : { rank, value };
    const rows = await readUsage(this.#parts.db, { ...scope, by, sort, after, limit: limit + 1, now });
    const shown = rows.slice(0, limit);
    const names = await this.#names(sight, by, shown);
    const last = shown.at(-1);
    const hasMore = rows.length > limit;
    return {
      ...{ from: scope.from, to: scope.to, currency },
      items: shown.map((row): UsageItem => {
        const { totals, cost } = billFor(book, row.months);
        return { value: row.value, name: names.get(row.value) ?? null, ...totals, cost };
      }),
      nextCursor: hasMore && last ? encodeCursor(list, [String(last.rank), last.value]) : null,
      hasMore,
    };
  }

  async trends(actor: Actor, { interval, ...query }: UsageTrendsQuery): Promise<UsageTrends> {
    const { scope, book, currency, now } = await this.#ask(actor, query);
    const { from, to } = scope;
    const days = daysBetween(from, to);
    const earlier = { from: dayAfter(from, -days), to: dayAfter(from, -1) };
    const limit = days + 1;
    const rows = await readUsage(this.#parts.db, { ...scope, by: interval, sort: null, limit, now });
    const months = new Map(rows.map((row) => [row.value, row.months]));
    const current = totalOf(book, await this.#total(scope, now));
    const previous = totalOf(book, await this.#total({ ...scope, ...earlier }, now));
    const names = [...USAGE_METRIC_NAMES, 'cost'] as const;
    return {
      ...{ from, to, currency },
      points: pointsOf(scope, interval).map((value) => ({ value, ...totalOf(book, months.get(value) ?? {}) })),
      current,
      previous: { ...earlier, ...previous },
      change: Object.fromEntries(
        names.map((name) => [name, changeOf(previous[name], current[name])]),
      ) as UsageTrends['change'],
    };
  }

  /** Everything by day, project, tenant, bucket and key, as text that is made while it is read. */
  async export(actor: Actor, { format, ...query }: ExportUsageQuery): Promise<AsyncIterable<string>> {
    return this.#write(await this.#ask(actor, query), format);
  }

  async *#write({ scope, book, now }: Asked, format: ExportUsageQuery['format']): AsyncGenerator<string> {
    const { head, line } = USAGE_FORMATS[format];
    if (head !== '') yield head;
    let after: UsageLine | undefined;
    for (;;) {
      const rows = await exportUsage(this.#parts.db, { ...scope, after, limit: EXPORT_BATCH, now });
      if (rows.length > 0)
        yield rows.map((row) => line(row, billFor(book, { [row.day.slice(0, 7)]: figuresOf(row) }).cost)).join('');
      after = rows.at(-1);
      if (rows.length < EXPORT_BATCH) return;
    }
  }

  /** Who may see what, with all that was counted until now. */
  async #ask(actor: Actor, query: UsageQuery): Promise<Asked> {
    const { db, transaction, meter, clock } = this.#parts;
    const sight = await usageSight(this.#parts, actor, query);
    const days = usageDays(clock, query);
    const now = clock.now();
    await meter.flush();
    await transaction((tx) => foldUsage(tx, now));
    const book = new PriceBook(await listPrices(db, sight.organizationId));
    const { organizationId, projectId, tenantId } = sight;
    const scope = { organizationId, projectId, tenantId, ...days };
    return { sight, scope, book, currency: book.currencyIn(days.to.slice(0, 7)), now };
  }

  async #total(scope: UsageScope, now: number): Promise<Record<string, UsageFigures>> {
    const [row] = await readUsage(this.#parts.db, { ...scope, by: 'all', sort: null, limit: 1, now });
    return row?.months ?? {};
  }

  async #names({ isConfined }: Sight, by: UsageReading['by'], rows: readonly UsageRow[]): Promise<Map<string, string>> {
    if (isConfined || (by !== 'project' && by !== 'tenant' && by !== 'bucket' && by !== 'key')) return new Map();
    return await findUsageNames(
      this.#parts.db,
      by,
      rows.map(({ value }) => value),
    );
  }
}

/** A metric may be a fraction, which cursors otherwise have none of. */
function decodeRank(list: string, cursor: string): [number, string] {
  const [rank, value] = decodeCursor(list, cursor, ['', '']);
  const number = Number(rank);
  return [Number.isFinite(number) ? number : 0, value];
}

function totalOf(book: PriceBook, months: Record<string, UsageFigures>): UsageFigures & { cost: number } {
  const { totals, cost } = billFor(book, months);
  return { ...totals, cost };
}

function figuresOf(line: UsageLine): UsageFigures {
  const { day: _, projectId: __, tenantId: ___, bucketId: ____, keyId: _____, ...figures } = line;
  return figures;
}

/** Every day or month from one to the other. */
function pointsOf({ from, to }: UsageScope, interval: 'day' | 'month'): string[] {
  const days = Array.from({ length: daysBetween(from, to) }, (_, at) => dayAfter(from, at));
  return interval === 'day' ? days : [...new Set(days.map((day) => day.slice(0, 7)))];
}

function changeOf(before: number, now: number): number | null {
  return before === 0 ? null : Math.round(((now - before) / before) * 10_000) / 10_000;
}
