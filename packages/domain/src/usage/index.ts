export * from './billing-service.ts';
export * from './invoice-service.ts';
export * from './metered-billing.ts';
export * from './price-service.ts';
export * from './report-usage.ts';
export * from './usage-jobs.ts';
export * from './usage-meter.ts';
export * from './usage-service.ts';
