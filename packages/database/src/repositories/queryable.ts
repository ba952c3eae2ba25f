import type { QueryResult, QueryResultRow } from 'pg';

/** A pool, or one connection inside a transaction: repositories take either. */
export interface Queryable {
  query<Row extends QueryResultRow>(
    text: string | { name?: string; text: string; values?: unknown[] },
    values?: unknown[],
  ): Promise<QueryResult<Row>>;
}
