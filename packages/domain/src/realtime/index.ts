export * from './operation-progress.ts';
