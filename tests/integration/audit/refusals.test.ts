import type { Queryable } from '@carcosa/database';
import { type Actor, type Refusal, RefusalLog, SYSTEM, type UserActor } from '@carcosa/domain';
import type { ErrorCode } from '@carcosa/kernel';
import { silentLogger } from '@carcosa/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apiKeyActor } from '../../support/actors.ts';
import { databaseKinds } from '../../support/database.ts';
import { type AuditWorld, createAuditWorld } from './support.ts';

interface Row {
  organization_id: string;
  project_id: string | null;
  tenant_id: string | null;
  actor_type: string;
  actor_id: string | null;
  action: string;
  resource_type: string | null;
  resource_id: string | null;
  result: string;
  after: Record<string, unknown>;
}

describe.each(databaseKinds())('refused attempts, on %s', (kind) => {
  let world: AuditWorld;
  let log: RefusalLog;
  let statements: number;
  let isDown: boolean;

  beforeEach(async () => {
    world = await createAuditWorld(kind);
    statements = 0;
    isDown = false;
    const query: Queryable['query'] = (...args) => {
      statements += 1;
      return isDown ? Promise.reject(new Error('the database is down')) : world.db.query(...args);
    };
    log = new RefusalLog({ db: { query }, clock: world.clock, logger: silentLogger });
  });
  afterEach(async () => {
    await log.close();
    await world.database.close();
  });

  const rows = async () => (await world.db.query<Row>('select * from audit_entries order by id')).rows;
  const refusal = (actor: Refusal['actor'], result: ErrorCode, more: Partial<Refusal> = {}): Refusal => ({
    ...{ actor, result, action: 'file.read', request: { method: 'GET', route: '/api/v1/files/:id' }, ids: [] },
    ...more,
  });
  const stranger = (ipAddress: string): Refusal['actor'] => ({
    type: 'anonymous',
    origin: { requestId: 'req_1', ipAddress, userAgent: 'x' },
  });
  const user = (organizations: [string, string][] = [], teams: [string, string][] = []): UserActor => ({
    ...{ type: 'user', id: world.ids.next('user'), sessionId: world.ids.next('session'), isServerAdmin: false },
    ...{ organizations: new Map(organizations) as never, teams: new Map(teams) as never },
  });

  it('are written apart from the request, with who, what, where and why', async () => {
    const actor = apiKeyActor(world.ids, world.projectId, [], { tenantId: 'ten_1' });
    const [id = ''] = await world.seed([{ path: 'x' }]);
    log.note(refusal(actor, 'forbidden', { ids: [id], action: 'file.update' }));
    expect(statements, 'nobody waits').toBe(0);
    await log.write();
    expect(statements, 'one to find what was named, one to write').toBe(2);
    expect(await rows()).toMatchObject([
      {
        ...{ organization_id: world.organizationId, project_id: world.projectId, tenant_id: 'ten_1' },
        ...{ actor_type: 'api-key', actor_id: actor.id, action: 'file.update', result: 'forbidden' },
        ...{ resource_type: 'file', resource_id: id, after: { method: 'GET', route: '/api/v1/files/:id' } },
      },
    ]);
  });

  it('that are alike become one entry with their count, however many they are', async () => {
    const one = refusal(stranger('192.0.2.1'), 'invalid_credentials', {
      action: 'session.login',
      account: 'a@example.com',
    });
    for (let index = 0; index < 1000; index++) log.note(one);
    await log.write();
    for (let second = 0; second < 60; second++) {
      for (let index = 0; index < 100; index++) log.note(one);
      await log.write();
      world.clock.advance(1_000);
    }
    await log.write();
    expect((await rows()).map(({ after }) => after)).toMatchObject([
      { count: 1000, account: 'a@example.com' },
      { count: 6000, first: expect.any(String), last: expect.any(String) },
    ]);
    world.clock.advance(120_000);
    await log.write();
    const before = statements;
    await log.write();
    expect(statements, 'when all is quiet nothing is asked').toBe(before);
    expect(await rows()).toHaveLength(2);
  });

  it('of a flood of callers stay bounded, and hide nobody who is known', async () => {
    for (let index = 0; index < 20_000; index++)
      log.note(
        refusal(stranger(`2001:db8::${index.toString(16)}`), index % 2 ? 'unauthenticated' : 'signature_invalid'),
      );
    const known = apiKeyActor(world.ids, world.projectId, []);
    log.note(refusal(known, 'forbidden'));
    await log.write();
    const all = await rows();
    expect(all.length).toBeLessThanOrEqual(103);
    const counted = all.reduce((sum, { after }) => sum + Number(after.count ?? 1), 0);
    expect(counted, 'each was counted').toBe(20_001);
    expect(all.filter(({ after }) => after.callers === 'many')).toHaveLength(2);
    expect(all).toContainEqual(expect.objectContaining({ actor_id: known.id, result: 'forbidden' }));
  });

  it('to what is there and foreign are told to its owner, never to the caller', async () => {
    const other = await world.addOrganization();
    const [id = '', own = ''] = await world.seed([{ path: 'secret/x', tenantId: 'ten_1' }, { path: 'own' }]);
    const foreignProject = world.ids.next('project');
    const callers: [string, Actor, boolean][] = [
      ['a key of another project', apiKeyActor(world.ids, foreignProject, ['files:read']), true],
      ['a key of another tenant', apiKeyActor(world.ids, world.projectId, ['files:read'], { tenantId: 'ten_2' }), true],
      [
        'a key of another folder',
        apiKeyActor(world.ids, world.projectId, ['files:read'], { pathPrefix: 'public' }),
        true,
      ],
      ['a user of another organization', user([[other, 'owner']]), true],
      ['a member without the team', user([[world.organizationId, 'member']]), true],
      ['a key of the project', apiKeyActor(world.ids, world.projectId, ['files:read']), false],
      ['a key of the tenant', apiKeyActor(world.ids, world.projectId, ['files:read'], { tenantId: 'ten_1' }), false],
      ['an owner', user([[world.organizationId, 'owner']]), false],
      ['the system', SYSTEM, false],
    ];
    const missing = world.ids.next('file');
    for (const [name, actor, isTold] of callers) {
      log.note(refusal(actor, 'not_found', { ids: [id, missing] }));
      await log.write({ all: true });
      const told = (await rows()).filter((row) => row.actor_id === (actor.type === 'system' ? 'system' : actor.id));
      expect(told, name).toHaveLength(isTold ? 1 : 0);
      if (isTold)
        expect(told, name).toMatchObject([
          {
            ...{ organization_id: world.organizationId, project_id: world.projectId, tenant_id: 'ten_1' },
            ...{ resource_id: id, result: 'not_found' },
          },
        ]);
    }
    log.note(refusal(callers[1]?.[1] as Actor, 'not_found', { ids: [own] }));
    await log.write({ all: true });
    expect((await rows()).at(-1)).toMatchObject({ resource_id: own, tenant_id: null });
  });

  it('of each kind of thing are found by its id', async () => {
    const { ids, db, organizationId, projectId } = world;
    const { rows: teams } = await db.query<{ id: string }>('select id from teams');
    const [file = ''] = await world.seed([{ path: 'x' }]);
    const tenant = ids.next('tenant');
    await db.query(
      `insert into tenants (id, project_id, external_id, name, created_at, updated_at) values ($1, $2, 'x', 'x', now(), now())`,
      [tenant, projectId],
    );
    const key = ids.next('apiKey');
    await db.query(
      `insert into api_keys (id, public_id, project_id, label, secret_hash, permissions, created_at) values ($1, 'public1', $2, 'x', 'x', '{}', now())`,
      [key, projectId],
    );
    const named = [organizationId, teams[0]?.id ?? '', projectId, world.bucketId, file, tenant, key];
    for (const id of named)
      log.note(refusal(user(), 'not_found', { ids: [id], request: { method: 'GET', route: id } }));
    await log.write();
    const told = await rows();
    expect(told.map((row) => row.resource_id)).toEqual(named);
    expect(told.map((row) => row.resource_type)).toEqual([
      'organization',
      'team',
      'project',
      'bucket',
      'file',
      'tenant',
      'api-key',
    ]);
    expect(told.every((row) => row.organization_id === organizationId)).toBe(true);
    expect(told.map((row) => row.tenant_id)).toEqual([null, null, null, null, null, tenant, null]);

    log.note(refusal(stranger('192.0.2.9'), 'unauthenticated', { publicId: 'public1' }));
    log.note(refusal(stranger('192.0.2.9'), 'unauthenticated', { publicId: 'unknown1' }));
    await log.write();
    expect((await rows()).slice(-2)).toMatchObject([
      {
        organization_id: organizationId,
        project_id: projectId,
        resource_type: 'api-key',
        resource_id: key,
        actor_id: null,
      },
      { organization_id: '', project_id: null, resource_id: null },
    ]);
  });

  it('wait for a database that is down, and are counted on', async () => {
    const one = refusal(stranger('192.0.2.1'), 'unauthenticated');
    isDown = true;
    log.note(one);
    await log.write();
    log.note(one);
    await log.write();
    isDown = false;
    await log.write();
    expect(await rows()).toMatchObject([{ after: { count: 2 } }]);
  });

  it('that are not yet written are so when the server stops', async () => {
    const one = refusal(stranger('192.0.2.1'), 'unauthenticated');
    log.note(one);
    await log.write();
    log.note(one);
    log.note(one);
    await log.close();
    expect((await rows()).map(({ after }) => after.count ?? 1)).toEqual([1, 2]);
  });
});
