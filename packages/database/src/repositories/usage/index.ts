export * from './billing.ts';
export * from './read-usage.ts';
export {
  type CountedUsage,
  dropOldFlushes,
  flushUsage,
  foldUsage,
  removeUsageBefore,
  type UsageFlush,
} from './usage-ledger.ts';
export * from './usage-prices.ts';
