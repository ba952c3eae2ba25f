export * from './plans.ts';
export * from './quota-counters.ts';
export * from './quota-settings.ts';
