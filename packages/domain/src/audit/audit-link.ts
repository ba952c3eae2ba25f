import { hash } from 'node:crypto';
import type { AuditEntryRow } from '@carcosa/database';

/** Names the form of the text that is hashed, so that another one can follow it. */
const FORM = 'carcosa-audit-1';
/** What the first entry of a chain is linked to: 32 zeros. */
export const CHAIN_START = Buffer.alloc(32);

/**
 * The hash that links an entry to the one before: SHA-256 over the 32 bytes of that one's hash and the UTF-8 of a JSON array
 * without blanks, `["carcosa-audit-1", sequence, id, at, organizationId, projectId, tenantId, actorType, actorId, ipAddress,
 * userAgent, requestId, action, resourceType, resourceId, before, after, result]`, in which `before` and `after` are texts: the
 * JSON as PostgreSQL's jsonb writes it. Everything that an entry has but the hash itself is in it.
 */
export function auditHash(previous: Buffer, entry: AuditEntryRow, sequence: number): Buffer {
  const text = JSON.stringify([
    ...[FORM, sequence, entry.id, entry.at, entry.organizationId, entry.projectId, entry.tenantId, entry.actorType],
    ...[entry.actorId, entry.ipAddress, entry.userAgent, entry.requestId, entry.action, entry.resourceType],
    ...[entry.resourceId, entry.before, entry.after, entry.result],
  ]);
  return hash('sha256', Buffer.concat([previous, Buffer.from(text)]), 'buffer');
}
