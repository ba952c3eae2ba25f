export * from './access/actor.ts';
export * from './access/authorize.ts';
export * from './api-keys/service.ts';
export * from './buckets/store-registry.ts';
export * from './idempotency/service.ts';
export * from './notifications.ts';
export * from './projects/service.ts';
export * from './provisioning/service.ts';
