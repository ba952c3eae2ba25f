import type { AuditEntry } from '@carcosa/contracts';
import type { AuditEntryRow } from '@carcosa/database';
import { csvLine } from './csv.ts';

/** An entry as the API shows it. */
export function auditView(row: AuditEntryRow): AuditEntry {
  const { id, at, ipAddress, userAgent, requestId, action, projectId, tenantId, result, sequence } = row;
  return {
    ...{ id, at, actor: { type: row.actorType, id: row.actorId }, ipAddress, userAgent, requestId, action },
    resource: row.resourceType === null ? null : { type: row.resourceType, id: row.resourceId },
    organizationId: row.organizationId || null,
    ...{ projectId, tenantId, before: parsed(row.before), after: parsed(row.after), result, sequence },
    hash: row.hash?.toString('hex') ?? null,
  };
}

const parsed = (json: string | null): unknown => (json === null ? null : JSON.parse(json));

/** The columns of the CSV, in their order. */
const COLUMNS: readonly [name: string, value: (row: AuditEntryRow) => string | number | null][] = [
  ['id', (row) => row.id],
  ['at', (row) => row.at],
  ['organizationId', (row) => row.organizationId || null],
  ['projectId', (row) => row.projectId],
  ['tenantId', (row) => row.tenantId],
  ['actorType', (row) => row.actorType],
  ['actorId', (row) => row.actorId],
  ['ipAddress', (row) => row.ipAddress],
  ['userAgent', (row) => row.userAgent],
  ['requestId', (row) => row.requestId],
  ['action', (row) => row.action],
  ['resourceType', (row) => row.resourceType],
  ['resourceId', (row) => row.resourceId],
  ['before', (row) => row.before],
  ['after', (row) => row.after],
  ['result', (row) => row.result],
  ['sequence', (row) => row.sequence],
  ['hash', (row) => row.hash?.toString('hex') ?? null],
];

/** How a format begins, and writes one entry. */
export const AUDIT_FORMATS = {
  csv: {
    head: csvLine(COLUMNS.map(([name]) => name)),
    line: (row: AuditEntryRow): string => csvLine(COLUMNS.map(([, value]) => value(row))),
  },
  jsonl: { head: '', line: (row: AuditEntryRow): string => `${JSON.stringify(auditView(row))}\n` },
} as const;
