import type { Queryable } from '@carcosa/database';
import type { PlanNode } from './plans.ts';

interface Statement {
  text: string;
  values?: unknown[];
}

/**
 * A database that shows how it goes about each statement before it does it: what is changed to find that out is undone. For one
 * connection inside of a transaction.
 */
export class PlanRecorder implements Queryable {
  readonly plans: { text: string; nodes: PlanNode[]; milliseconds: number }[] = [];
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  query = (async (statement: string | Statement, given: unknown[] = []) => {
    const { text, values = [] } = typeof statement === 'string' ? { text: statement, values: given } : statement;
    await this.#db.query('savepoint explained');
    const { rows } = await this.#db.query<{ 'QUERY PLAN': [{ Plan: PlanNode; 'Execution Time': number }] }>(
      `explain (analyze, timing off, format json) ${text}`,
      values,
    );
    await this.#db.query('rollback to savepoint explained');
    const [explained] = rows[0]?.['QUERY PLAN'] ?? [];
    if (!explained) throw new Error(`no plan for ${text}`);
    this.plans.push({ text, nodes: allOf(explained.Plan), milliseconds: explained['Execution Time'] });
    return await this.#db.query(text, values);
  }) as Queryable['query'];
}

const allOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(allOf)];
