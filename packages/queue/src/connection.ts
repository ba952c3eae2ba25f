import type { Db } from 'pg-boss';

/** A pool, or the transaction that the job belongs to. */
export interface QueueConnection {
  query<Row extends object = object>(text: string, values?: unknown[]): Promise<{ rows: Row[] }>;
}

/** The same connection as pg-boss wants it. */
export function connectionOf(db: QueueConnection): Db {
  return { executeSql: async (text, values) => ({ rows: (await db.query(text, values)).rows }) };
}
