import { Histogram } from '@carcosa/kernel';
import type { Pool, PoolClient } from 'pg';

/** Upper bounds, in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/**
 * Measures how long each query or transaction has a connection, in seconds: the time of the database and that of the process between
 * the statements of a transaction, without the time that it waited for a connection.
 */
export function measureUse(pool: Pool): Histogram {
  const use = new Histogram(BOUNDS);
  const begun = new WeakMap<PoolClient, number>();
  pool.on('acquire', (client) => begun.set(client, performance.now()));
  pool.on('release', (_error, client) => {
    const since = begun.get(client);
    if (since !== undefined) use.observe((performance.now() - since) / 1000);
  });
  return use;
}
