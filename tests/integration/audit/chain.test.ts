import type { AuditVerification } from '@carcosa/contracts';
import { recordAudit } from '@carcosa/database';
import { retainAudit, verifyAllAudit } from '@carcosa/domain';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { type AuditWorld, createAuditWorld } from './support.ts';

const DAY = 24 * 3600 * 1000;

describe.each(databaseKinds())('the chain of entries, on %s', (kind) => {
  let world: AuditWorld;

  beforeEach(async () => {
    world = await createAuditWorld(kind);
  });
  afterEach(() => world.database.close());

  it('links what was written, each organization by itself, and verifies', async () => {
    const other = await world.addOrganization();
    await world.write(5);
    await world.write(3, { organizationId: other });
    await world.write(2, { organizationId: null });
    expect(await world.verify()).toMatchObject({ isWhole: true, entries: 0, unsealed: 5, sequence: 0 });
    expect(await world.seal(4), 'in several batches').toBe(10);
    expect(await world.seal()).toBe(0);
    await world.write(1);
    expect(await world.verify()).toMatchObject({ isWhole: true, entries: 5, unsealed: 1, sequence: 5, problem: null });
    await world.seal();
    const found: AuditVerification[] = [];
    for await (const each of verifyAllAudit(world)) found.push(each);
    expect(found).toMatchObject([
      { organizationId: null, isWhole: true, entries: 2 },
      ...[
        { organizationId: world.organizationId, isWhole: true, entries: 6 },
        { organizationId: other, isWhole: true, entries: 3 },
      ].sort((a, b) => (a.organizationId < b.organizationId ? -1 : 1)),
    ]);
    const { rows } = await world.db.query(
      'select count(distinct hash)::int as hashes, bool_and(length(hash) = 32) as whole from audit_seals',
    );
    expect(rows).toEqual([{ hashes: 11, whole: true }]);
  });

  it('shows a change of any field of any entry', async () => {
    await world.write(3);
    await world.seal();
    const { rows } = await world.db.query<{ name: string; type: string }>(
      `select column_name as name, data_type as type from information_schema.columns
       where table_name = 'audit_entries' and column_name <> 'id'`,
    );
    expect(rows.map(({ name }) => name)).toHaveLength(15);
    for (const { name, type } of rows) {
      const changed = CHANGES[type];
      expect(changed, `no way to change a ${type}`).toBeDefined();
      for (const sequence of [1, 2, 3]) {
        const old = `${name}_was`;
        await world.tamper(`alter table audit_entries add column ${old} ${type}`);
        await world.tamper(
          `update audit_entries set ${old} = ${name}, ${name} = ${changed?.(name)} where id = ${SEALED_AS}`,
          [sequence],
        );
        expect(await world.verify(), `${name} of ${sequence}`).toMatchObject({
          isWhole: false,
          entries: sequence - 1,
          problem: { sequence, reason: 'was changed, or the one before it was' },
        });
        await world.tamper(`update audit_entries set ${name} = ${old} where id = ${SEALED_AS}`, [sequence]);
        await world.tamper(`alter table audit_entries drop column ${old}`);
        expect(await world.verify(), `${name} of ${sequence} as it was`).toMatchObject({ isWhole: true, entries: 3 });
      }
    }
  });

  it('shows a digit of a number that JavaScript would not see', async () => {
    await world.write(1);
    await world.seal();
    await world.tamper(`update audit_entries set after = jsonb_set(after, '{index}', '1.00000000000000000001')`);
    expect(await world.verify()).toMatchObject({ isWhole: false, problem: { sequence: 1 } });
  });

  it('shows what is missing, wherever it was', async () => {
    for (const [sequence, reason] of [
      [1, 'is missing'],
      [4, 'is missing'],
      [8, 'is missing'],
    ] as const) {
      const world = await createAuditWorld(kind);
      await world.write(8);
      await world.seal();
      expect(await world.tamper(`delete from audit_entries where id = ${SEALED_AS}`, [sequence])).toBe(1);
      expect(await world.verify()).toMatchObject({ isWhole: false, problem: { sequence, reason } });
      await world.write(2);
      await world.seal();
      expect(await world.verify(), 'also when there is more behind it').toMatchObject({
        isWhole: false,
        problem: { sequence },
      });
      await world.database.close();
    }
    await world.write(8);
    await world.seal();
    await world.tamper('delete from audit_entries');
    expect(await world.verify()).toMatchObject({
      isWhole: false,
      problem: { sequence: 1, entryId: null, reason: 'is missing, with all up to 8' },
    });
  });

  it('shows what was moved, unsealed, added, or cut off together with the end of the chain', async () => {
    const other = await world.addOrganization();
    const attacks: [string, number][] = [
      [`update audit_seals set organization_id = '${other}' where sequence = 2`, 2],
      ['update audit_seals set entry_id = 0 where sequence = 2', 2],
      ['update audit_entries set id = 0 where id = (select entry_id from audit_seals where sequence = 2)', 2],
      ['update audit_seals set hash = sha256(hash) where sequence = 2', 2],
      ['delete from audit_seals where sequence = 2', 2],
      ['update audit_seals set sequence = -sequence where sequence = 1', -1],
      ['update audit_seals set sequence = 9 where sequence = 3', 9],
      [
        `with added as (
           insert into audit_entries (at, organization_id, actor_type, action, result)
           select e.at, e.organization_id, e.actor_type, e.action, e.result
           from audit_entries e join audit_seals s on s.entry_id = e.id where s.sequence = 3 returning id, organization_id
         )
         insert into audit_seals (entry_id, organization_id, sequence, hash)
         select a.id, a.organization_id, 4, s.hash from added a, audit_seals s where s.sequence = 3`,
        4,
      ],
      ['update audit_chains set hash = sha256(hash)', 3],
      ['update audit_chains set sequence = 2', 3],
      ['update audit_chains set anchor_sequence = 1', 1],
      ['delete from audit_chains', 1],
    ];
    for (const [attack, sequence] of attacks) {
      const world = await createAuditWorld(kind);
      await world.write(3);
      await world.seal();
      expect(await world.verify()).toMatchObject({ isWhole: true, entries: 3 });
      await world.tamper(attack.replace(other, 'org_of_somebody_else'));
      expect(await world.verify(), attack).toMatchObject({ isWhole: false, problem: { sequence } });
      await world.database.close();
    }
  });

  it('is one and unbroken whoever writes and seals at once', async () => {
    const other = await world.addOrganization();
    const places = [{}, { organizationId: other }];
    let writing = true;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let round = 0; round < 25; round++)
        await world.inTransaction(async (tx) => {
          await recordAudit(tx, [world.entry(round, places[writer % 2]), world.entry(round, places[round % 2])]);
        });
    });
    const sealers = Array.from({ length: 2 }, async () => {
      while (writing) await world.seal(7);
    });
    await Promise.all(writers);
    writing = false;
    await Promise.all(sealers);
    await world.seal();
    const [mine, theirs] = await Promise.all([world.verify(), world.verify(other)]);
    expect([mine, theirs]).toMatchObject([
      { isWhole: true, unsealed: 0 },
      { isWhole: true, unsealed: 0 },
    ]);
    expect(mine.entries + theirs.entries).toBe(200);
    expect(mine.sequence).toBe(mine.entries);
  });

  it('gives the lock to one sealer, and lets the other go at once', async () => {
    await world.write(3);
    await world.inTransaction(async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(hashtext('carcosa:audit-sealing'))`);
      expect(await world.seal()).toBe(0);
    });
    expect(await world.seal()).toBe(3);
  });

  it('still verifies when retention has removed the oldest, and says what that removed', async () => {
    const { db, clock, organizationId } = world;
    const other = await world.addOrganization();
    await db.query(
      `insert into plans (name, quotas, audit_retention_days, created_at, updated_at) values ('short', '{}', 30, now(), now())`,
    );
    await db.query(`update organizations set plan = 'short' where id = $1`, [organizationId]);
    await world.write(25);
    await world.write(5, { organizationId: other });
    await world.seal();
    clock.advance(20 * DAY);
    await world.write(4);
    await world.seal();
    const retain = () => retainAudit({ ...world, transaction: world.inTransaction }, { batch: 10 });
    expect(await retain(), 'nothing is old enough').toBe(0);
    clock.advance(10 * DAY + 1);
    await world.write(2);
    expect(await retain(), 'what is not sealed stays too').toBe(25);
    expect(await world.verify()).toMatchObject({
      isWhole: true,
      entries: 4,
      anchorSequence: 25,
      sequence: 29,
      unsealed: 5,
    });
    await world.seal();
    expect(await world.verify()).toMatchObject({ isWhole: true, entries: 9, anchorSequence: 25, sequence: 34 });
    expect(await world.verify(other), 'without a plan for ever').toMatchObject({ isWhole: true, entries: 5 });
    const { rows } = await db.query(`select after from audit_entries where action = 'audit.retain' order by id`);
    expect(rows.map((row) => row.after)).toMatchObject([
      { removed: 10, upTo: 10 },
      { removed: 10, upTo: 20 },
      { removed: 5, upTo: 25 },
    ]);
    await world.write(3, { organizationId: null });
    await world.seal();
    clock.advance(7 * DAY + 1);
    const ofServer = { ...world, transaction: world.inTransaction, serverDays: 7 };
    expect(await retainAudit(ofServer), "the server's own has days of its own").toBe(3);
    expect(await world.verify('')).toMatchObject({ isWhole: true, entries: 0, anchorSequence: 3, unsealed: 1 });
    await world.tamper(`delete from audit_entries where id = ${SEALED_AS}`, [26]);
    expect(await world.verify()).toMatchObject({ isWhole: false, problem: { sequence: 26 } });
    clock.advance(365 * DAY);
    expect(await retain(), 'a gap is not tidied away').toBe(0);
  });

  it('lets nobody but retention remove, and only in its own transaction', async () => {
    await world.write(2);
    await world.seal();
    await world.inTransaction(async (tx) => {
      await tx.query(`select set_config('carcosa.audit_retention', 'on', true)`);
    });
    for (const table of ['audit_entries', 'audit_seals']) {
      await expect(world.db.query(`delete from ${table}`)).rejects.toThrow(`${table} is append-only`);
      await expect(world.db.query(`truncate ${table}`)).rejects.toThrow(`${table} is append-only`);
    }
    await expect(world.db.query('update audit_seals set sequence = 7')).rejects.toThrow('audit_seals is append-only');
  });
});

/** The id of the entry of one organization that has this place in its chain. */
const SEALED_AS = '(select min(entry_id) from audit_seals where sequence = $1)';

/** An expression of another value than that of the column, by its type. */
const CHANGES: Record<string, (column: string) => string> = {
  bigint: (column) => `${column} + 1000`,
  text: (column) => `coalesce(${column}, '') || 'x'`,
  jsonb: () => `'{"index": 77}'`,
  bytea: (column) => `sha256(${column})`,
  'timestamp with time zone': (column) => `${column} + interval '1 millisecond'`,
};
