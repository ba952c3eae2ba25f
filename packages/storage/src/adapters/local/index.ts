export { HashPool } from './hash-pool.ts';
export { LocalObjectStore, type LocalObjectStoreOptions } from './local-object-store.ts';
