import { AUDIT_SUCCESS, type AuditAction, EVENT_OF_ACTION, type EventType } from '@carcosa/contracts';
import { EVENT_CONTEXT, queueEvents, WOKEN } from '../events/event-queue.ts';
import { fileJson } from '../file-json.ts';
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
 * Writes any number of entries, and the events that tell of them, in one statement. Call it in the transaction of the change that they
 * tell of: then there is no change without its entry and its event, and none of a change that was rolled back.
 */
export async function recordAudit(tx: Queryable, entries: readonly NewAuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const told = entries.map((entry) => ({ ...entry, event: eventOf(entry) }));
  await tx.query({ name: 'record_audit', text: RECORD, values: [JSON.stringify(told)] });
}

/** The type of the event that tells of it; null for none. */
function eventOf({ action, result, before, after }: NewAuditEntry): EventType | null {
  if (result !== AUDIT_SUCCESS) return null;
  const type = EVENT_OF_ACTION[action as AuditAction] ?? null;
  return type === 'file.updated' && hasPath(before) && hasPath(after) ? 'file.moved' : type;
}

const hasPath = (state: unknown): boolean => typeof state === 'object' && state !== null && 'path' in state;

// Of a file the event shows all as it is now; of other things what the entry says.
const RECORD = `
with entries as (
  select n.*, coalesce(n."organizationId", (select p.organization_id from projects p where p.id = n."projectId"), '') as organization
  from jsonb_to_recordset($1::jsonb) as n(at float8, "organizationId" text, "projectId" text, "tenantId" text, "actorType" text,
    "actorId" text, "ipAddress" text, "userAgent" text, "requestId" text, action text, "resourceType" text, "resourceId" text,
    before jsonb, after jsonb, result text, event text)
), audited as (
  insert into audit_entries (at, organization_id, project_id, tenant_id, actor_type, actor_id, ip_address, user_agent, request_id,
    action, resource_type, resource_id, before, after, result)
  select to_timestamp(n.at / 1000), n.organization, n."projectId", n."tenantId", n."actorType", n."actorId", n."ipAddress", n."userAgent",
    n."requestId", n.action, n."resourceType", n."resourceId", n.before, n.after, n.result
  from entries n returning id
), unsealed as (
  insert into audit_unsealed (entry_id) select id from audited
), happened as (
  insert into events (id, type, organization_id, project_id, tenant_id, resource_id, path, data, created_at)
  select carcosa_id('evt', to_timestamp(n.at / 1000)), n.event, n.organization, n."projectId", n."tenantId", n."resourceId",
    case when n."resourceType" = 'file' then coalesce(f.path, n.before->>'path', n.after->>'path') end,
    ${objectOr('n.after')} || case when f.id is null then '{}' else ${fileJson('f', `''`)}::jsonb - 'url' end ||
      case when n.before is null then '{}' else jsonb_build_object('previous', n.before) end ||
      jsonb_build_object('id', n."resourceId", 'tenantId', n."tenantId") ||
      ${EVENT_CONTEXT('n.organization', 'n."projectId"', 'n."actorType"', 'n."actorId"')},
    to_timestamp(n.at / 1000)
  from entries n left join files f on n."resourceType" = 'file' and f.id = n."resourceId"
  where n.event is not null and n.organization <> ''
  returning position
), ${queueEvents('happened')}
select ${WOKEN}`;

/** A JSON object as it is, and anything else as an empty one: `||` of others makes lists. */
function objectOr(column: string): string {
  return `case when jsonb_typeof(${column}) = 'object' then ${column} else '{}' end`;
}
