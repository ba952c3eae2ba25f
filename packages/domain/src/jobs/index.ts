export * from './job-service.ts';
