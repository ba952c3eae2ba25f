export type { S3StoreConfig } from './config.ts';
export { S3ObjectStore } from './store.ts';
