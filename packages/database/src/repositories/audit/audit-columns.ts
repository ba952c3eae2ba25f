/** An entry as it lies in the table. Instants as ISO 8601 in UTC with milliseconds. */
export interface AuditEntryRow {
  id: number;
  at: string;
  /** "" for none. */
  organizationId: string;
  projectId: string | null;
  tenantId: string | null;
  actorType: 'user' | 'api-key' | 'tenant-token' | 'system' | 'anonymous';
  actorId: string | null;
  ipAddress: string | null;
  userAgent: string | null;
  requestId: string | null;
  action: string;
  resourceType: string | null;
  resourceId: string | null;
  /** JSON as PostgreSQL writes it: of equal values there is one text, and no number loses a digit. */
  before: string | null;
  after: string | null;
  result: string;
  /** Null until sealed. */
  sequence: number | null;
  /** 32 bytes. */
  hash: Buffer | null;
}

/** Entries by the alias `e`, with their seals by `s`. */
export const ENTRIES_AND_SEALS = 'audit_entries e left join audit_seals s on s.entry_id = e.id';

/** The columns of an {@link AuditEntryRow}, from the aliases `e` and `s`. */
export const AUDIT_COLUMNS = `
  e.id, to_char(e.at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, e.organization_id as "organizationId",
  e.project_id as "projectId", e.tenant_id as "tenantId", e.actor_type as "actorType", e.actor_id as "actorId",
  e.ip_address as "ipAddress", e.user_agent as "userAgent", e.request_id as "requestId", e.action,
  e.resource_type as "resourceType", e.resource_id as "resourceId", e.before::text, e.after::text, e.result, s.sequence, s.hash`;
