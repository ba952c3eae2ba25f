import { type Queryable, recordAudit } from '@carcosa/database';
import type { Clock } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import { type AnonymousActor, type AuditEvent, auditEntry } from './audit-entry.ts';

/** Writes down one change, in the transaction that makes it. */
export async function record(
  tx: Queryable,
  clock: Clock,
  actor: Actor | AnonymousActor,
  event: AuditEvent,
): Promise<void> {
  await recordAudit(tx, [auditEntry(actor, event, clock)]);
}
