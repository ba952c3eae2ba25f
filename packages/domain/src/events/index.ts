export * from './event-retention.ts';
export * from './event-service.ts';
