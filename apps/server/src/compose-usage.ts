import type { Queryable } from '@carcosa/database';
import {
  type Access,
  BillingService,
  InvoiceService,
  PriceService,
  type ProjectFactsCache,
  UsageMeter,
  UsageService,
} from '@carcosa/domain';
import type { Clock, Logger } from '@carcosa/kernel';
import { StripeMeteredBilling, type StripeSettings } from './billing/stripe-metered-billing.ts';

export interface UsageParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  logger: Logger;
  instance: string;
  access: Access;
  projects: ProjectFactsCache;
  isCounted: boolean;
  stripe: StripeSettings | undefined;
}

/** What edges count with. */
export type UsageCounters = Pick<UsageMeter, 'countCall' | 'countDownload' | 'countTransform'>;

const COUNTS_NOTHING: UsageCounters = { countCall: () => {}, countDownload: () => {}, countTransform: () => {} };

/** The part of the composition that counts what is used, and says what it costs. */
export function composeUsage({ isCounted, stripe, ...parts }: UsageParts) {
  const billing = stripe && new StripeMeteredBilling(stripe);
  const usageMeter = new UsageMeter(parts);
  const common = { ...parts, meter: usageMeter };
  return {
    usage: isCounted ? usageMeter : COUNTS_NOTHING,
    usageMeter,
    usageReports: new UsageService(common),
    invoices: new InvoiceService(common),
    prices: new PriceService(common),
    billing,
    billingSettings: new BillingService({ ...parts, billing }),
  };
}
