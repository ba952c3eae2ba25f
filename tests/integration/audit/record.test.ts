import { type Database, type Queryable, recordAudit, transaction } from '@carcosa/database';
import { auditEntry, SYSTEM } from '@carcosa/domain';
import { IdGenerator, ManualClock } from '@carcosa/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiKeyActor } from '../../support/actors.ts';
import { createTestDatabase, databaseKinds } from '../../support/database.ts';
import { createFileWorld } from '../files/support.ts';

describe.each(databaseKinds())('what is recorded, on %s', (kind) => {
  let database: Database;
  let db: Queryable;
  const clock = new ManualClock();
  const ids = new IdGenerator(clock);

  beforeAll(async () => {
    database = await createTestDatabase({ kind });
    db = database.pool;
  });
  afterAll(() => database.close());

  const all = async () => (await db.query('select * from audit_entries order by id')).rows;

  it('is written by one statement, in order, with the organization of its project', async () => {
    const world = await createFileWorld(kind);
    const { db } = world;
    const origin = { requestId: 'req_1', ipAddress: '203.0.113.7', userAgent: 'a browser' };
    const actor = { ...apiKeyActor(world.ids, world.projectId, []), origin };
    const place = { projectId: world.projectId, tenantId: '' };
    let statements = 0;
    const counting: Queryable = {
      query: (...args) => {
        statements++;
        return db.query(...args);
      },
    };
    await recordAudit(
      counting,
      Array.from({ length: 1000 }, (_, index) =>
        auditEntry(
          actor,
          {
            action: 'file.update',
            resource: { type: 'file', id: `file_${index}` },
            place,
            before: { path: 'a' },
            after: { path: `b ${index}`, token: 'x' },
          },
          clock,
        ),
      ),
    );
    expect(statements).toBe(1);
    const { rows } = await db.query('select * from audit_entries order by id');
    expect(rows.map((row) => row.resource_id)).toEqual(Array.from({ length: 1000 }, (_, index) => `file_${index}`));
    const organization = await db.query<{ id: string }>('select organization_id as id from projects where id = $1', [
      world.projectId,
    ]);
    expect(rows[7]).toMatchObject({
      ...{ organization_id: organization.rows[0]?.id, project_id: world.projectId, tenant_id: null },
      ...{ actor_type: 'api-key', actor_id: actor.id, ip_address: '203.0.113.7', user_agent: 'a browser' },
      ...{ request_id: 'req_1', action: 'file.update', resource_type: 'file', result: 'success' },
      at: new Date(clock.now()),
      ...{ before: { path: 'a' }, after: { path: 'b 7', token: '[redacted]' } },
    });
    await world.database.close();
  });

  it('is not, when its transaction is rolled back, and costs nothing for nothing', async () => {
    await recordAudit({ query: () => Promise.reject(new Error('not to be asked')) }, []);
    const rolledBack = transaction(database.pool, async (tx) => {
      await recordAudit(tx, [auditEntry(SYSTEM, { action: 'settings.update', after: { x: 1 } }, clock)]);
      throw new Error('no');
    });
    await expect(rolledBack).rejects.toThrow('no');
    expect(await all()).toEqual([]);
  });

  it('belongs to no organization where none is said, has no JSON null, and takes odd texts', async () => {
    const event = { action: 'session.login', resource: { type: 'user', id: 'a\0b\ud800' } } as const;
    await recordAudit(db, [auditEntry({ type: 'anonymous' }, event, clock)]);
    expect(await all()).toMatchObject([
      { organization_id: '', actor_type: 'anonymous', actor_id: null, resource_id: 'a\uFFFDb\uFFFD' },
    ]);
    const { rows } = await db.query('select before is null and after is null as "isNull" from audit_entries');
    expect(rows).toEqual([{ isNull: true }]);
  });

  it('can be neither changed nor removed', async () => {
    const entry = auditEntry(SYSTEM, { action: 'settings.update', after: { id: ids.next('request') } }, clock);
    await recordAudit(db, [entry]);
    for (const attack of [
      `update audit_entries set result = 'forbidden'`,
      `update audit_entries set actor_id = 'usr_x'`,
      'delete from audit_entries',
      'truncate audit_entries',
    ]) {
      await expect(db.query(attack), attack).rejects.toThrow('append-only');
    }
  });
});
