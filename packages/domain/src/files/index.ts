export * from './file-changes.ts';
export * from './file-key.ts';
export * from './file-lists.ts';
export * from './file-service.ts';
export * from './object-removal.ts';
export * from './trash-purge.ts';
