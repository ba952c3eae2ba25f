export * from './deliveries.ts';
export * from './fan-out.ts';
export * from './lanes.ts';
export * from './webhooks.ts';
