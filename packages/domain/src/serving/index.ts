export * from './content-disposition.ts';
export * from './policy.ts';
export * from './preconditions.ts';
export * from './ranges.ts';
export type { ServedFile } from './served-file-cache.ts';
export * from './serving-service.ts';
