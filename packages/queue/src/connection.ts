import type { Db } from 'pg-boss';

/** A pool, or the transaction that the job belongs to. */
export interface QueueConnection {
  query<Row extends object = object>(text: string, values?: unknown[]): Promise<{ rows: Row[] }>;
}

/** The same connection as pg-boss wants it. */
export function connectionOf(db: QueueConnection): Db {
  // As the driver answers: of several statements in one text it gives a list of results, which pg-boss takes apart itself.
  return { executeSql: (text, values) => db.query(text, values) };
}
