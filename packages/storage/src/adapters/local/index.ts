export { DiskWorkers } from './disk-workers.ts';
export { LocalObjectStore, type LocalObjectStoreOptions } from './local-object-store.ts';
