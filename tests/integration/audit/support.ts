import type { AuditVerification } from '@carcosa/contracts';
import { type NewAuditEntry, type Queryable, recordAudit, transaction } from '@carcosa/database';
import { auditEntry, SYSTEM, sealAudit, verifyAudit } from '@carcosa/domain';
import type { OrganizationId } from '@carcosa/kernel';
import type { DatabaseKind } from '../../support/database.ts';
import { createFileWorld } from '../files/support.ts';

export type AuditWorld = Awaited<ReturnType<typeof createAuditWorld>>;

/** A database with an organization and a project, and short ways to write, seal and verify. */
export async function createAuditWorld(kind: DatabaseKind) {
  const world = await createFileWorld(kind);
  const { db, clock, database, ids } = world;
  const inTransaction = <Result>(work: (tx: Queryable) => Promise<Result>) => transaction(database.pool, work);
  const snapshot = <Result>(work: (tx: Queryable) => Promise<Result>) =>
    transaction(database.pool, work, { isolation: 'repeatable read' });
  const { rows } = await db.query<{ id: OrganizationId }>('select id from organizations');
  const organizationId = rows[0]?.id as OrganizationId;
  const entry = (index: number, place: Partial<NewAuditEntry> = {}): NewAuditEntry => ({
    ...auditEntry(SYSTEM, { action: 'project.update', place: { organizationId } }, clock),
    ...{ actorType: 'user', actorId: `usr_${index % 7}`, ipAddress: '203.0.113.7', userAgent: 'a browser' },
    ...{ requestId: `req_${index}`, resourceType: 'project', resourceId: `prj_${index}` },
    ...{ before: { index }, after: { index: index + 1, name: 'Ünïcödé “x”' } },
    ...place,
  });
  return {
    ...world,
    organizationId,
    inTransaction,
    snapshot,
    entry,
    write: (count: number, place: Partial<NewAuditEntry> = {}) =>
      recordAudit(
        db,
        Array.from({ length: count }, (_, index) => entry(index, place)),
      ),
    seal: (batch?: number) => sealAudit({ transaction: inTransaction }, batch === undefined ? {} : { batch }),
    verify: (organization: string = organizationId): Promise<AuditVerification> =>
      verifyAudit({ snapshot }, organization),
    addOrganization: async (): Promise<OrganizationId> => {
      const id = ids.next('organization');
      await db.query('insert into organizations (id, name, slug, created_at) values ($1, $1, $1, now())', [id]);
      return id;
    },
    /** As somebody who owns the database and switches the guard off. */
    tamper: async (sql: string, values: unknown[] = []): Promise<number> =>
      inTransaction(async (tx) => {
        for (const table of ['audit_entries', 'audit_seals'])
          await tx.query(`alter table ${table} disable trigger user`);
        const { rowCount } = await tx.query(sql, values);
        for (const table of ['audit_entries', 'audit_seals'])
          await tx.query(`alter table ${table} enable trigger user`);
        return rowCount ?? 0;
      }),
  };
}
