export * from './delivery-service.ts';
export * from './schedule.ts';
export * from './sender.ts';
export * from './signature.ts';
export * from './webhook-notice.ts';
export * from './webhook-service.ts';
export * from './webhook-worker.ts';
