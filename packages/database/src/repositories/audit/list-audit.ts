import type { Queryable } from '../queryable.ts';
import { AUDIT_COLUMNS, type AuditEntryRow, ENTRIES_AND_SEALS } from './audit-columns.ts';

/** Which entries; every condition that is given must hold. */
export interface AuditFilter {
  /** "" for what belongs to none. */
  organizationId: string;
  projectId?: string | undefined;
  tenantId?: string | undefined;
  actorId?: string | undefined;
  action?: string | undefined;
  resourceId?: string | undefined;
  /** `success`, `refused` for all else, or the code of an error. */
  result?: string | undefined;
  /** Milliseconds since the epoch: from `from` on, and before `to`. */
  from?: number | undefined;
  to?: number | undefined;
}

export interface AuditListing extends AuditFilter {
  limit: number;
  /** Where the page before ended: only what is older is listed. */
  after?: { at: number; id: number } | undefined;
}

/** At most `limit` entries, newest first, by keyset: a page far back costs what the first one costs. */
export async function listAudit(db: Queryable, listing: AuditListing): Promise<AuditEntryRow[]> {
  return (await db.query<AuditEntryRow>(listAuditQuery(listing))).rows;
}

export function listAuditQuery(listing: AuditListing): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const instant = (value: number): string => `to_timestamp(${bind(value)}::float8 / 1000)`;
  const conditions = [`e.organization_id = ${bind(listing.organizationId)}`];
  for (const [column, value] of [
    ['project_id', listing.projectId],
    ['tenant_id', listing.tenantId],
    ['actor_id', listing.actorId],
    ['action', listing.action],
    ['resource_id', listing.resourceId],
  ]) {
    if (value !== undefined) conditions.push(`e.${column} = ${bind(value)}`);
  }
  const { result, from, to, after } = listing;
  // Written as the partial index of refusals has it.
  if (result !== undefined && result !== 'success') conditions.push(`e.result <> 'success'`);
  if (result !== undefined && result !== 'refused') conditions.push(`e.result = ${bind(result)}`);
  if (from !== undefined) conditions.push(`e.at >= ${instant(from)}`);
  if (to !== undefined) conditions.push(`e.at < ${instant(to)}`);
  if (after) conditions.push(`(e.at, e.id) < (${instant(after.at)}, ${bind(after.id)})`);
  const text = `select ${AUDIT_COLUMNS} from ${ENTRIES_AND_SEALS} where ${conditions.join(' and ')}
    order by e.at desc, e.id desc limit ${bind(listing.limit)}`;
  return { text, values };
}
