export * from './callback-service.ts';
