export * from './invoice-service.ts';
export * from './price-service.ts';
export * from './usage-jobs.ts';
export * from './usage-meter.ts';
export * from './usage-service.ts';
