export * from './arrivals.ts';
export type { FactsFilter } from './facts-filter.ts';
export * from './file-facts.ts';
export * from './made-together.ts';
export * from './transform-job-items.ts';
export * from './transform-jobs.ts';
