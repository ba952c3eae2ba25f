export * from './bucket-rows.ts';
export * from './bucket-shares.ts';
export * from './bucket-use.ts';
export * from './project-buckets.ts';
