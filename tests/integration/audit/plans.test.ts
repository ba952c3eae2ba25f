import { type AuditListing, listAuditQuery } from '@carcosa/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { explain as explainQuery, type PlanNode, rowsRead } from '../../support/plans.ts';
import { type AuditWorld, createAuditWorld } from './support.ts';

const ENTRIES = 200_000;
const START = Date.UTC(2026, 0, 1);

/**
 * How the database goes about each question, on a table of 200,000 entries: by the index of the filter, in its order, and no further
 * than the page, each entry with its seal. Numbers of rows read are what is promised; times depend on the machine.
 */
describe.each(databaseKinds())('plans of the audit log, on %s', (kind) => {
  let world: AuditWorld;

  beforeAll(async () => {
    world = await createAuditWorld(kind);
    // Nine tenths of the entries are of one organization, half of them of one project; what is rare is one in ten thousand.
    await world.db.query(
      `insert into audit_entries (at, organization_id, project_id, tenant_id, actor_type, actor_id, action, resource_type, resource_id, result)
       select to_timestamp($1::float8 / 1000) + i * interval '1 second',
         case when i % 10 = 0 then 'org_other' else $2 end,
         case when i % 10000 = 1 then 'prj_rare' when i % 2 = 0 then 'prj_common' else 'prj_' || i % 50 end,
         case when i % 10000 = 3 then 'ten_rare' when i % 3 = 0 then 'ten_' || i % 30 end,
         'api-key', case when i % 10000 = 5 then 'key_rare' else 'key_' || i % 20 end,
         case when i % 10000 = 7 then 'project.rotate-signing-key' else 'file.create' end, 'file', 'file_' || i,
         case when i % 10000 = 9 then 'forbidden' else 'success' end
       from generate_series(1, $3::int) i`,
      [START, world.organizationId, ENTRIES],
    );
    await world.db.query(
      `insert into audit_seals (entry_id, organization_id, sequence, hash)
       select id, organization_id, id, sha256(id::text::bytea) from audit_entries where id % 1000 <> 0`,
    );
    await world.db.query('insert into audit_unsealed (entry_id) select id from audit_entries where id % 1000 = 0');
    await world.db.query('vacuum analyze audit_entries, audit_seals, audit_unsealed');
  }, 300_000);
  afterAll(() => world.database.close());

  const explain = (listing: Partial<AuditListing>): Promise<PlanNode[]> =>
    explainQuery(world.db, listAuditQuery({ organizationId: world.organizationId, limit: 51, ...listing }));

  const from = START + 100_000_000;
  const deep = { at: START + 10_000_000, id: 10_000 };
  const questions: [string, Partial<AuditListing>, string][] = [
    ['the first page', {}, 'audit_entries_organization'],
    ['a page far back', { after: deep }, 'audit_entries_organization'],
    ['a time long ago', { from: from - 60_000, to: from }, 'audit_entries_organization'],
    ['an actor', { actorId: 'key_rare' }, 'audit_entries_actor'],
    ['an actor who is not there', { actorId: 'usr_nobody' }, 'audit_entries_actor'],
    ['an action', { action: 'project.rotate-signing-key' }, 'audit_entries_action'],
    [
      'an action at a time',
      { action: 'project.rotate-signing-key', from, to: from + 50_000_000 },
      'audit_entries_action',
    ],
    ['a resource', { resourceId: 'file_77' }, 'audit_entries_resource'],
    ['refusals', { result: 'refused' }, 'audit_entries_refused'],
    ['refusals for a reason', { result: 'forbidden', after: deep }, 'audit_entries_refused'],
    ['a project', { projectId: 'prj_rare' }, 'audit_entries_project'],
    ['a tenant', { tenantId: 'ten_rare' }, 'audit_entries_tenant'],
    ['a tenant in its project', { projectId: 'prj_common', tenantId: 'ten_nobody' }, 'audit_entries_tenant'],
    ['an actor in a project', { projectId: 'prj_common', actorId: 'key_rare' }, 'audit_entries_actor'],
  ];
  it.each(questions)('%s comes from an index in order', async (_name, listing, index) => {
    const plan = await explain(listing);
    expect(plan.flatMap((node) => node['Index Name'] ?? [])).toEqual([index, 'audit_seals_pkey']);
    expect(plan.map((node) => node['Node Type'])).not.toContain('Sort');
    expect(rowsRead(plan)).toBeLessThanOrEqual(102);
  });

  it('costs the same however far back', async () => {
    const depths = [0, 50_000, 150_000, 199_000];
    const costs: number[] = [];
    for (const depth of depths) {
      const id = ENTRIES - depth;
      costs.push(rowsRead(await explain({ after: { at: START + id * 1000, id } })));
    }
    expect(costs).toEqual([102, 102, 102, 102]);
  });

  it('finds what is to be sealed, and the next of a chain, without looking at the rest', async () => {
    for (const text of [
      `select e.id from audit_entries e left join audit_seals s on s.entry_id = e.id
       where e.id in (select u.entry_id from audit_unsealed u order by u.entry_id limit 1000) order by e.id`,
      `select e.id from audit_seals s join audit_entries e on e.id = s.entry_id where s.organization_id = 'org_other'
       and (5000::bigint is null or s.sequence > 5000) order by s.sequence limit 50`,
    ]) {
      const { rows } = await world.db.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(
        `explain (analyze, format json) ${text}`,
      );
      const plan = JSON.stringify(rows);
      expect(plan).toMatch(/audit_(unsealed_pkey|seals_chain)/);
      expect(plan).not.toContain('Seq Scan');
    }
  });
});
