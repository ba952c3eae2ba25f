import {
  type Database,
  exportUsageQuery,
  readUsageQuery,
  removeUsageBefore,
  transaction,
  type UsageLine,
} from '@carcosa/database';
import type { OrganizationId, ProjectId } from '@carcosa/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, databaseKinds } from '../../support/database.ts';
import { PlanRecorder } from '../../support/plan-recorder.ts';
import { explain, rowsRead } from '../../support/plans.ts';

const DAYS = 400;
const NOW = Date.UTC(2027, 1, 5);
/** Of a project on a day. */
const A_DAY = 3;

describe.each(databaseKinds())('plans of usage, on %s', (kind) => {
  let database: Database;
  beforeAll(async () => {
    database = await createTestDatabase({ kind });
    await database.pool.query(
      `insert into usage_daily (day, project_id, tenant_id, bucket_id, key_id, organization_id, bytes_out)
       select '2026-01-01'::date + d, 'prj_' || p, 'ten_' || k, 'bkt_1', '', 'org_' || p % 200, 1
       from generate_series(0, $1::int - 1) d, generate_series(0, 199) p, generate_series(1, $2::int) k`,
      [DAYS, A_DAY],
    );
    await database.pool.query('vacuum analyze usage_daily');
  }, 300_000);
  afterAll(() => database.close());

  const scope = { organizationId: 'org_1' as OrganizationId, from: '2026-03-01', to: '2026-03-31', now: NOW };
  const ofProject = { projectId: 'prj_1' as ProjectId };

  it.each([
    ['a project', ofProject, 'usage_daily_project_id_day_tenant_id_bucket_id_key_id_pk', 31 * A_DAY],
    ['an organization', {}, 'usage_daily_organization', 31 * A_DAY],
  ])('of %s read its days alone', async (_name, whose, index, rows) => {
    const query = readUsageQuery({ ...scope, ...whose, by: 'tenant', sort: 'bytesOut', limit: 100 });
    const plan = await explain(database.pool, query);
    expect(plan.flatMap((node) => node['Index Name'] ?? [])).toEqual([index]);
    expect(rowsRead(plan)).toBe(rows);
  });

  it.each([
    ['a project', ofProject],
    ['an organization', {}],
  ])('of an export of %s read a page, however far on', async (_name, whose) => {
    const after = { day: '2026-03-20', projectId: 'prj_1', tenantId: 'ten_2', bucketId: 'bkt_1', keyId: '' };
    for (const page of [{}, { after: after as UsageLine }]) {
      const plan = await explain(database.pool, exportUsageQuery({ ...scope, ...whose, ...page, limit: 20 }));
      expect(rowsRead(plan)).toBeLessThanOrEqual(21);
      expect(plan.map((node) => node['Node Type'])).not.toContain('Sort');
    }
  });

  it('of retention begin with the oldest day', async () => {
    await transaction(database.pool, async (tx) => {
      const recorder = new PlanRecorder(tx);
      expect(await removeUsageBefore(recorder, '2026-01-03', 300)).toBe(300);
      const nodes = recorder.plans.flatMap((plan) => plan.nodes);
      expect(nodes.flatMap((node) => node['Index Name'] ?? [])).toEqual(['usage_daily_day']);
      expect(rowsRead(nodes)).toBeLessThanOrEqual(900);
    });
  });
});
