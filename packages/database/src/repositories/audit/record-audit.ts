import type { Queryable } from '../queryable.ts';

/** An entry as it is written; `auditEntry` of the domain makes them. */
export interface NewAuditEntry {
  /** Milliseconds since the epoch. */
  at: number;
  /** Null: that of the project; where there is no project either, the entry belongs to no organization. */
  organizationId: string | null;
  projectId: string | null;
  tenantId: string | null;
  actorType: 'user' | 'api-key' | 'tenant-token' | 'system' | 'anonymous';
  /** Null for somebody unknown. */
  actorId: string | null;
  ipAddress: string | null;
  userAgent: string | null;
  requestId: string | null;
  action: string;
  resourceType: string | null;
  resourceId: string | null;
  /** Without secrets, and of a bounded size. */
  before: unknown;
  after: unknown;
  /** `success`, or the code of the error that refused it. */
  result: string;
}

/**
 * Writes any number of entries in one statement. Call it in the transaction of the change that they tell of: then there is no
 * change without its entry, and no entry of a change that was rolled back.
 */
export async function recordAudit(tx: Queryable, entries: readonly NewAuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await tx.query({ name: 'record_audit', text: RECORD, values: [JSON.stringify(entries)] });
}

const RECORD = `
insert into audit_entries (at, organization_id, project_id, tenant_id, actor_type, actor_id, ip_address, user_agent, request_id,
  action, resource_type, resource_id, before, after, result)
select to_timestamp(n.at / 1000),
  coalesce(n."organizationId", (select p.organization_id from projects p where p.id = n."projectId"), ''),
  n."projectId", n."tenantId", n."actorType", n."actorId", n."ipAddress", n."userAgent", n."requestId", n.action, n."resourceType",
  n."resourceId", n.before, n.after, n.result
from jsonb_to_recordset($1::jsonb) as n(at float8, "organizationId" text, "projectId" text, "tenantId" text, "actorType" text,
  "actorId" text, "ipAddress" text, "userAgent" text, "requestId" text, action text, "resourceType" text, "resourceId" text,
  before jsonb, after jsonb, result text)`;
