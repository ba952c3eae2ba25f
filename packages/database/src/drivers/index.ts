export * from './embedded/installation.ts';
export { findRunningPostgres } from './embedded/running.ts';
export * from './embedded/supervisor.ts';
export * from './listener.ts';
export * from './open-database.ts';
export { createPool, type PoolOptions } from './pool.ts';
export * from './transaction.ts';
