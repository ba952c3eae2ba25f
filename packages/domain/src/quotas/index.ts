export * from './egress-meter.ts';
export * from './quota-service.ts';
export * from './quotas.ts';
export * from './refused-quotas.ts';
