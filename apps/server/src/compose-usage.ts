import type { Queryable } from '@carcosa/database';
import {
  type Access,
  InvoiceService,
  PriceService,
  type ProjectFactsCache,
  UsageMeter,
  UsageService,
} from '@carcosa/domain';
import type { Clock, Logger } from '@carcosa/kernel';

export interface UsageParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  logger: Logger;
  instance: string;
  access: Access;
  projects: ProjectFactsCache;
  isCounted: boolean;
}

/** What edges count with. */
export type UsageCounters = Pick<UsageMeter, 'countCall' | 'countDownload' | 'countTransform'>;

const COUNTS_NOTHING: UsageCounters = { countCall: () => {}, countDownload: () => {}, countTransform: () => {} };

/** The part of the composition that counts what is used, and says what it costs. */
export function composeUsage({ isCounted, ...parts }: UsageParts) {
  const usageMeter = new UsageMeter(parts);
  const common = { ...parts, meter: usageMeter };
  return {
    usage: isCounted ? usageMeter : COUNTS_NOTHING,
    usageMeter,
    usageReports: new UsageService(common),
    invoices: new InvoiceService(common),
    prices: new PriceService(common),
  };
}
