import type { Queryable } from '@carcosa/database';

/** A node of a plan, as `explain (format json)` gives it. */
export interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows'?: number;
  'Actual Loops'?: number;
  'Rows Removed by Filter'?: number;
  'Sort Key'?: string[];
  Plans?: PlanNode[];
}

/** How the database goes about a question, by really asking it: all nodes of the plan, in no order that means anything. */
export async function explain(db: Queryable, query: { text: string; values?: unknown[] }): Promise<PlanNode[]> {
  const { rows } = await db.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `explain (analyze, timing off, format json) ${query.text}`,
    query.values ?? [],
  );
  const nodes = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodes)];
  return nodes((rows[0] as { 'QUERY PLAN': [{ Plan: PlanNode }] })['QUERY PLAN'][0].Plan);
}

/** Rows of tables that were looked at, those that a filter then left out included. */
export function rowsRead(plan: readonly PlanNode[]): number {
  const read = (node: PlanNode): number =>
    ((node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0)) * (node['Actual Loops'] ?? 1);
  return plan.filter((node) => node['Relation Name']).reduce((sum, node) => sum + read(node), 0);
}
