export * from './event-service.ts';
