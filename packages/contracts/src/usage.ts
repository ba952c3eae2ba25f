import { z } from 'zod';
import { queryInteger, Timestamp } from './common.ts';

/** What is counted, in which unit, and what it means. `docs/usage.md` has the same list. */
export const USAGE_METRICS = {
  uploads: { unit: 'upload', meaning: 'files and new versions that came in whole' },
  downloads: { unit: 'download', meaning: 'answers with bytes of a file or picture, ranges each by itself' },
  bytesIn: { unit: 'byte', meaning: 'their bytes' },
  bytesOut: { unit: 'byte', meaning: 'bytes of files and pictures that went out' },
  transforms: { unit: 'transform', meaning: 'pictures that were made; one that was made before costs nothing' },
  transformSeconds: { unit: 'second', meaning: 'the time that making them took' },
  apiCalls: { unit: 'call', meaning: 'requests with a key or tenant token, as rate limits count them' },
  storageByteHours: {
    unit: 'byte-hour',
    meaning: 'what was stored, all versions and the trash included, times how long',
  },
} as const;
export type UsageMetric = keyof typeof USAGE_METRICS;
export const USAGE_METRIC_NAMES = Object.keys(USAGE_METRICS) as [UsageMetric, ...UsageMetric[]];
const Metric = z.enum(USAGE_METRIC_NAMES);

const quantity = (metric: UsageMetric) => z.number().min(0).describe(USAGE_METRICS[metric].meaning);

export const UsageFigures = z.object({
  uploads: quantity('uploads'),
  downloads: quantity('downloads'),
  bytesIn: quantity('bytesIn'),
  bytesOut: quantity('bytesOut'),
  transforms: quantity('transforms'),
  transformSeconds: quantity('transformSeconds'),
  apiCalls: quantity('apiCalls'),
  storageByteHours: quantity('storageByteHours'),
});
export type UsageFigures = z.infer<typeof UsageFigures>;

/** Most digits after the point of a price. */
export const PRICE_DIGITS = 9;

export const Price = z.strictObject({
  price: z
    .number()
    .min(0)
    .max(1_000_000)
    .refine((value) => Number(value.toFixed(PRICE_DIGITS)) === value, {
      message: `at most ${PRICE_DIGITS} digits after the point`,
    }),
  per: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).describe('so many units cost the price'),
});
export type Price = z.infer<typeof Price>;

const price = Price.optional();
/** What is absent has the price of the level above: of the server, or the default. */
export const Prices = z.strictObject({
  uploads: price,
  downloads: price,
  bytesIn: price,
  bytesOut: price,
  transforms: price,
  transformSeconds: price,
  apiCalls: price,
  storageByteHours: price.describe('730,000,000,000 byte-hours are a gigabyte for a month'),
});
export type Prices = z.infer<typeof Prices>;

const GIGABYTE = 1_000_000_000;
/** Bytes in decimal gigabytes; a month has 730 hours. */
export const DEFAULT_PRICES: Readonly<Record<UsageMetric, Price>> = {
  uploads: { price: 0.005, per: 1000 },
  downloads: { price: 0.0004, per: 1000 },
  bytesIn: { price: 0, per: GIGABYTE },
  bytesOut: { price: 0.05, per: GIGABYTE },
  transforms: { price: 0.5, per: 1000 },
  transformSeconds: { price: 0, per: 1 },
  apiCalls: { price: 0.4, per: 1_000_000 },
  storageByteHours: { price: 0.02, per: 730 * GIGABYTE },
};
export const DEFAULT_CURRENCY = 'USD';

export const Currency = z.string().regex(/^[A-Z]{3}$/, { message: 'three letters of ISO 4217, such as EUR' });

export const PriceTable = z.object({
  currency: Currency,
  month: z.string().describe('the prices hold in this month (UTC), and until they are changed'),
  prices: z.record(Metric, Price).describe('in force'),
  set: Prices.describe('what is set here'),
});
export type PriceTable = z.infer<typeof PriceTable>;

/** Replaces what was set; holds from the beginning of this month on. */
export const PutPricesBody = z.strictObject({
  currency: Currency.optional().describe('absent: as it is'),
  prices: Prices,
});
export type PutPricesBody = z.infer<typeof PutPricesBody>;
export const PutOrganizationPricesBody = PutPricesBody.omit({ currency: true });
export type PutOrganizationPricesBody = z.infer<typeof PutOrganizationPricesBody>;

const Cost = z.number().min(0).describe('in the currency, to a millionth');

export const CostLine = z.object({
  metric: Metric,
  unit: z.string(),
  quantity: z.number().min(0),
  price: z.number().nullable().describe('null: the price was changed in between'),
  per: z.number().nullable(),
  cost: Cost,
});
export type CostLine = z.infer<typeof CostLine>;

const Day = z.iso.date().describe('a day in UTC, as 2026-11-21');
export const UsageMonth = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, { message: 'a month, as 2026-11' });

const scope = {
  organizationId: z.string().optional().describe('of all of the organization, for its owners and admins'),
  projectId: z.string().optional().describe('of the project; a key needs not say so'),
};
const range = {
  tenantId: z.string().max(100).optional().describe('with the project: of that tenant'),
  from: Day.optional().describe('a day in UTC, as 2026-11-01; absent: the first of this month'),
  to: Day.optional().describe('the last day, included; absent: today'),
};

export const UsageQuery = z.strictObject({ ...scope, ...range });
export type UsageQuery = z.infer<typeof UsageQuery>;

/** What usage can be broken down by. */
export const USAGE_DIMENSIONS = ['day', 'month', 'project', 'tenant', 'bucket', 'key'] as const;
export type UsageDimension = (typeof USAGE_DIMENSIONS)[number];

export const UsageBreakdownQuery = UsageQuery.extend({
  by: z.enum(USAGE_DIMENSIONS),
  sort: z
    .enum(['value', ...USAGE_METRIC_NAMES])
    .default('value')
    .describe('by value, or the largest of a metric first'),
  limit: queryInteger(1, 1000).default(100),
  cursor: z.string().max(500).optional(),
});
export type UsageBreakdownQuery = z.infer<typeof UsageBreakdownQuery>;

export const UsageTrendsQuery = UsageQuery.extend({ interval: z.enum(['day', 'month']).default('day') });
export type UsageTrendsQuery = z.infer<typeof UsageTrendsQuery>;

export const ExportUsageQuery = UsageQuery.extend({ format: z.enum(['csv', 'jsonl']) });
export type ExportUsageQuery = z.infer<typeof ExportUsageQuery>;

const Period = z.object({ from: Day, to: Day });

export const UsageOverview = z.object({
  ...Period.shape,
  currency: Currency,
  totals: UsageFigures,
  cost: Cost,
  lines: z.array(CostLine),
  storedBytes: z.number().int().min(0).describe('stored now'),
});
export type UsageOverview = z.infer<typeof UsageOverview>;

export const UsageItem = UsageFigures.extend({
  value: z.string().describe('the day, or the id; empty for what belongs to none'),
  name: z.string().nullable().describe('of a project, tenant, bucket or key that is still there'),
  cost: Cost,
});
export type UsageItem = z.infer<typeof UsageItem>;

export const UsageBreakdown = z.object({
  ...Period.shape,
  currency: Currency,
  items: z.array(UsageItem),
  nextCursor: z.string().nullable(),
  hasMore: z.boolean(),
});
export type UsageBreakdown = z.infer<typeof UsageBreakdown>;

const Total = UsageFigures.extend({ cost: Cost });

export const UsageTrends = z.object({
  ...Period.shape,
  currency: Currency,
  points: z.array(Total.extend({ value: z.string().describe('the day or month') })).describe('none is left out'),
  current: Total,
  previous: Period.extend(Total.shape).describe('as many days before'),
  change: z
    .record(z.enum([...USAGE_METRIC_NAMES, 'cost']), z.number().nullable())
    .describe('by which part more than before: 0.5 for half as much again; null where there was nothing'),
});
export type UsageTrends = z.infer<typeof UsageTrends>;

export const InvoiceQuery = z.strictObject(scope);
export type InvoiceQuery = z.infer<typeof InvoiceQuery>;
export const InvoiceFormatQuery = z.strictObject({ ...scope, format: z.enum(['json', 'csv']).default('json') });
export type InvoiceFormatQuery = z.infer<typeof InvoiceFormatQuery>;

export const InvoiceSummary = z.object({
  month: UsageMonth,
  currency: Currency,
  total: z.number().min(0).describe('in the currency, to a hundredth'),
  isFinal: z.boolean().describe('the month is over'),
});
export type InvoiceSummary = z.infer<typeof InvoiceSummary>;

/** What a month cost; each line is rounded to a hundredth, and the total is their sum. */
export const Invoice = InvoiceSummary.extend({
  organizationId: z.string(),
  projectId: z.string().nullable().describe('null: all of the organization'),
  issuedAt: Timestamp,
  lines: z.array(
    z.object({
      metric: Metric,
      unit: z.string(),
      quantity: z.number().min(0),
      price: z.number(),
      per: z.number().int(),
      amount: z.number().min(0),
    }),
  ),
});
export type Invoice = z.infer<typeof Invoice>;

/** How an organization is billed by the provider of payments. */
export const Billing = z.object({
  customerId: z.string().nullable().describe('null: it is not billed'),
  since: z.string().nullable().describe('the first day that is reported'),
  isConnected: z.boolean().describe('this server has a key of the provider'),
  reportedTo: z.string().nullable().describe('the last day of which the provider has something'),
  pending: z.number().int().describe('reports that the provider has not taken yet'),
  error: z.string().nullable().describe('what the provider said to the last one that it refused'),
});
export type Billing = z.infer<typeof Billing>;

export const PutBillingBody = z.strictObject({
  customerId: z
    .string()
    .regex(/^[A-Za-z0-9_]{1,255}$/, { message: 'the id of a customer, such as cus_NciAYcXfLnqBoz' })
    .nullable()
    .describe('null: it is not billed any more'),
});
export type PutBillingBody = z.infer<typeof PutBillingBody>;
