import type { Event } from '@carcosa/contracts';
import { SYSTEM } from '@carcosa/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { QuotaWorld, type Scopes } from '../quotas/support.ts';

describe.each(databaseKinds())('warnings of quotas, on %s', (kind) => {
  let world: QuotaWorld;
  let scopes: Scopes;
  beforeAll(async () => {
    world = await QuotaWorld.open(kind);
  });
  afterAll(() => world.close());

  const upload = async (path: string, size: number): Promise<number> => {
    const headers = { 'x-api-key': scopes.key };
    const body = Buffer.alloc(size, 'x');
    return (await fetch(`${world.node.url}/api/v1/files?path=${path}`, { method: 'POST', headers, body })).status;
  };
  const events = async (): Promise<Event[]> => {
    const { organizationId } = scopes;
    const query = { organizationId, type: 'quota.*', limit: 100 } as const;
    const { items } = await world.carcosa.events.list(SYSTEM, query);
    return items.filter(({ type }) => type !== 'quota.updated').reverse();
  };
  const told = async () => (await events()).map(({ type, data }) => [type, data.metric, data.threshold]);

  it('come with the upload that crosses a threshold, each once, and say what of whom', async () => {
    scopes = await world.scopes();
    await world.setProject(scopes.projectId, { bytes: 1000 });
    expect(await upload('a', 799)).toBe(201);
    expect(await told()).toEqual([]);
    expect(await upload('b', 1)).toBe(201);
    expect(await upload('c', 1)).toBe(201);
    expect(await told()).toEqual([['quota.warning', 'bytes', 80]]);
    expect((await events())[0]).toMatchObject({
      ...{
        organizationId: scopes.organizationId,
        projectId: scopes.projectId,
        tenantId: null,
        resourceId: scopes.projectId,
      },
      data: { scope: 'project', id: scopes.projectId, limit: 1000, used: 800, month: '2026-11' },
    });
    expect(await upload('d', 199)).toBe(201);
    expect(await told()).toEqual([
      ['quota.warning', 'bytes', 80],
      ['quota.warning', 'bytes', 90],
      ['quota.exceeded', 'bytes', 100],
    ]);
    expect(await upload('e', 1)).toBe(403);
    await world.carcosa.refusedQuotas.flush();
    expect(await told()).toHaveLength(3);
  });

  it('tell that a quota is used up whose last tenth is too small, but not of one file that is too large', async () => {
    scopes = await world.scopes();
    await world.setProject(scopes.projectId, { bytes: 1000 });
    expect(await upload('huge', 1001)).toBe(403);
    await world.carcosa.refusedQuotas.flush();
    expect(await told()).toEqual([]);
    expect(await upload('a', 950)).toBe(201);
    expect(await upload('b', 100)).toBe(403);
    await world.carcosa.refusedQuotas.flush();
    expect((await told()).map(([, , threshold]) => threshold)).toEqual([80, 90, 100]);
  });

  it('begin anew with another limit, and with another month', async () => {
    scopes = await world.scopes();
    await world.setProject(scopes.projectId, { files: 5 });
    for (const path of ['a', 'b', 'c', 'd']) expect(await upload(path, 1)).toBe(201);
    expect(await told()).toEqual([['quota.warning', 'files', 80]]);
    await world.setProject(scopes.projectId, { files: 5, bytes: 1_000_000 });
    expect(await told()).toHaveLength(1);
    // One that is passed already when it is set tells so at once.
    await world.setProject(scopes.projectId, { files: 4 });
    expect(await told()).toHaveLength(4);
    await world.setProject(scopes.projectId, { files: 6 });
    await world.database.pool.query(`update quota_counters set told_in = '2026-01' where scope_id = $1`, [
      scopes.projectId,
    ]);
    expect(await upload('e', 1)).toBe(201);
    expect((await told()).slice(4)).toEqual([['quota.warning', 'files', 80]]);
  });

  it('come with the flush for what is counted in memory', async () => {
    scopes = await world.scopes();
    const { carcosa } = world;
    await carcosa.quotaSettings.setTenant(SYSTEM, scopes.tenantId, { egressBytes: 1000 });
    await carcosa.quotaSettings.setOrganization(SYSTEM, scopes.organizationId, { quotas: { egressBytes: 10_000 } });
    const limits = [
      { scopeId: scopes.tenantId, limit: 1000 },
      { scopeId: scopes.organizationId, limit: 10_000 },
    ];
    carcosa.egress.count(limits, 950);
    await carcosa.egress.flush();
    expect(await told()).toEqual([
      ['quota.warning', 'egressBytes', 80],
      ['quota.warning', 'egressBytes', 90],
    ]);
    expect((await events()).map(({ tenantId }) => tenantId)).toEqual([scopes.tenantId, scopes.tenantId]);
    carcosa.egress.count(limits, 7050);
    await carcosa.egress.flush();
    expect((await events()).slice(2).map(({ data }) => [data.scope, data.threshold])).toEqual(
      expect.arrayContaining([
        ['tenant', 100],
        ['organization', 80],
      ]),
    );
    expect(await told()).toHaveLength(4);
  });

  it('of two uploads at once are told once, and those of a refused one not at all', async () => {
    scopes = await world.scopes();
    await world.setProject(scopes.projectId, { bytes: 1000 });
    const outcomes = await Promise.all(Array.from({ length: 12 }, (_, each) => upload(`at-once-${each}`, 100)));
    expect(outcomes.filter((status) => status === 201)).toHaveLength(10);
    await world.carcosa.refusedQuotas.flush();
    expect((await told()).map(([, , threshold]) => threshold)).toEqual([80, 90, 100]);
  });
});
