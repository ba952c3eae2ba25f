import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiKeyActor } from '../../support/actors.ts';
import { databaseKinds } from '../../support/database.ts';
import { TreeWorld } from './world.ts';

describe.each(databaseKinds())('projects, tenants and keys on %s', (kind) => {
  let world: TreeWorld;
  let node: ReturnType<TreeWorld['node']>;
  beforeAll(async () => {
    world = await TreeWorld.open(kind);
    node = world.node();
  });
  afterAll(() => world.close());

  /** A project with an owner of its organization, and a key of it that may everything. */
  async function project() {
    const place = await world.organization();
    const owner = await world.login(place.people.owner);
    const made = await node.projects.create(owner, { teamId: place.teamId, name: 'Shop' });
    const projectId = made.id as ReturnType<typeof world.ids.next<'project'>>;
    return { ...place, owner, made, projectId, key: apiKeyActor(world.ids, projectId, ['admin']) };
  }

  it('is made by who runs the team, private, in the first bucket of the team', async () => {
    const { made, people, teamId } = await project();
    expect(made).toMatchObject({ name: 'Shop', slug: 'shop', settings: { defaultVisibility: 'private' } });
    await world.joinTeam(teamId, people.member, 'member');
    const attempt = node.projects.create(await world.login(people.member), { teamId, name: 'Other' });
    await expect(attempt).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('is seen by who is in its team, each with what the role may', async () => {
    const { made, people, teamId, projectId } = await project();
    const member = await world.login(people.member);
    await expect(node.projects.get(member, made.id)).rejects.toMatchObject({ code: 'not_found' });
    expect((await node.projects.list(member, { limit: 50 })).items).toEqual([]);
    await world.joinTeam(teamId, people.member, 'member');
    const joined = await world.login(people.member);
    expect((await node.projects.list(joined, { limit: 50 })).items).toEqual([made]);
    await expect(node.projects.update(joined, made.id, { name: 'x' })).rejects.toMatchObject({ code: 'forbidden' });
    expect(await node.access.authorize(joined, 'files:write', projectId)).toMatchObject({ projectId, tenantId: null });
    await world.joinTeam(teamId, people.viewer, 'admin');
    // Who is a viewer of the organization is no more than that in its teams.
    const viewer = await world.login(people.viewer);
    await expect(node.projects.update(viewer, made.id, { name: 'x' })).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('does not take a bucket that its team may not write to', async () => {
    const { owner, made, id, teamId } = await project();
    const foreign = await project();
    await expect(node.projects.update(owner, made.id, { bucketId: foreign.made.bucketId })).rejects.toMatchObject({
      code: 'not_found',
    });
    const bucketId = world.ids.next('bucket');
    await world.db.query(
      `insert into buckets (id, organization_id, name, provider, config, created_at) values ($1, $2, 'far', 's3', '{}', now())`,
      [bucketId, id],
    );
    await expect(node.projects.update(owner, made.id, { bucketId })).rejects.toMatchObject({ code: 'not_found' });
    const share = 'insert into bucket_shares (bucket_id, team_id, access, created_at) values ($1, $2, $3, now())';
    await world.db.query(share, [bucketId, teamId, 'read-only']);
    await expect(node.projects.update(owner, made.id, { bucketId })).rejects.toMatchObject({ code: 'forbidden' });
    await world.db.query(`update bucket_shares set access = 'read-write'`);
    expect(await node.projects.update(owner, made.id, { bucketId })).toMatchObject({ bucketId });
  });

  it('goes at once with its keys, and its files later', async () => {
    const { owner, made, projectId } = await project();
    const { key } = await node.keys.create(owner, {
      ...{ projectId, name: 'one', permissions: ['files:read'], restrictions: {}, expiresAt: null },
    });
    await node.apiKeys.authenticate(key);
    await node.projects.remove(owner, made.id, { withFiles: false });
    await expect(node.projects.get(owner, made.id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(world.node().apiKeys.authenticate(key)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(world.removals).toContainEqual({ projectId, tenantId: null });
  });

  describe('tenants', () => {
    it('have a name of the app once in a project', async () => {
      const { key } = await project();
      const input = { name: 'Customer', externalId: 'c-1', bucketId: null, metadata: { plan: 'gold' } };
      const made = await node.tenants.create(key, input);
      expect(made).toMatchObject({ ...input, suspended: false });
      await expect(node.tenants.create(key, input)).rejects.toMatchObject({ code: 'conflict' });
      expect((await node.tenants.list(key, { externalId: 'c-1', limit: 50 })).items).toEqual([made]);
      expect(await node.tenants.update(key, made.id, { suspended: true })).toMatchObject({ suspended: true });
    });

    it('are not there for another project, and one of them not for a key of another', async () => {
      const { key, projectId } = await project();
      const one = await node.tenants.create(key, { name: 'One', bucketId: null, metadata: {} });
      const two = await node.tenants.create(key, { name: 'Two', bucketId: null, metadata: {} });
      const foreign = (await project()).key;
      const confined = apiKeyActor(world.ids, projectId, ['admin'], { tenantId: two.id });
      for (const actor of [foreign, confined]) {
        await expect(node.tenants.get(actor, one.id)).rejects.toMatchObject({ code: 'not_found' });
        await expect(node.tenants.remove(actor, one.id)).rejects.toMatchObject({ code: 'not_found' });
        await expect(
          node.tenantTokens.mint(actor, one.id, { permissions: ['files:read'], expiresIn: 60 }),
        ).rejects.toMatchObject({ code: 'not_found' });
      }
      expect((await node.tenants.list(confined, { limit: 50 })).items.map(({ id }) => id)).toEqual([two.id]);
    });

    it('get tokens that may no more than who minted them, in their files alone', async () => {
      const { key, projectId } = await project();
      const { id } = await node.tenants.create(key, { name: 'One', bucketId: null, metadata: {} });
      const weak = apiKeyActor(world.ids, projectId, ['tenants:manage', 'files:read'], { pathPrefix: 'public' });
      await expect(
        node.tenantTokens.mint(weak, id, { permissions: ['files:write'], expiresIn: 60 }),
      ).rejects.toMatchObject({ code: 'forbidden' });
      await expect(
        node.tenantTokens.mint(weak, id, { permissions: ['files:read'], pathPrefix: 'private', expiresIn: 60 }),
      ).rejects.toMatchObject({ code: 'forbidden' });
    });

    it('have tokens that end with their time, their key and their tenant', async () => {
      const { owner, projectId } = await project();
      const made = await node.keys.create(owner, {
        ...{
          projectId,
          name: 'minter',
          permissions: ['tenants:manage', 'files:read'],
          restrictions: {},
          expiresAt: null,
        },
      });
      const key = await node.apiKeys.authenticate(made.key);
      const { id } = await node.tenants.create(owner, { projectId, name: 'One', bucketId: null, metadata: {} });
      const mint = async () =>
        (await node.tenantTokens.mint(key, id, { permissions: ['files:read'], expiresIn: 60 })).token;
      const token = await mint();
      expect(await node.tenantTokens.authenticate(token)).toMatchObject({
        type: 'tenant-token',
        tenantId: id,
        projectId,
      });
      world.clock.advance(60_001);
      await expect(node.tenantTokens.authenticate(token)).rejects.toMatchObject({ code: 'unauthenticated' });
      const second = await mint();
      await node.tenantTokens.authenticate(second);
      await node.keys.revoke(owner, made.id);
      await expect(node.tenantTokens.authenticate(second)).rejects.toMatchObject({ code: 'unauthenticated' });
      const byPerson = await node.tenantTokens.mint(owner, id, { permissions: ['files:read'], expiresIn: 60 });
      await node.tenants.remove(owner, id);
      await expect(node.tenantTokens.authenticate(byPerson.token)).rejects.toMatchObject({ code: 'unauthenticated' });
    });
  });

  describe('tenant tokens', () => {
    it('may at no time more than the key that minted them', async () => {
      const { owner, projectId } = await project();
      const permissions = ['tenants:manage' as const, 'files:read' as const, 'files:write' as const];
      const made = await node.keys.create(owner, {
        ...{ projectId, name: 'minter', permissions, restrictions: {}, expiresAt: null },
      });
      const { id } = await node.tenants.create(owner, { projectId, name: 'One', bucketId: null, metadata: {} });
      const other = await node.tenants.create(owner, { projectId, name: 'Two', bucketId: null, metadata: {} });
      const key = await node.apiKeys.authenticate(made.key);
      const mint = async (pathPrefix?: string) =>
        (
          await node.tenantTokens.mint(key, id, {
            permissions: ['files:read', 'files:write'],
            expiresIn: 600,
            pathPrefix,
          })
        ).token;
      const [token, inFolder, inDeepFolder, elsewhere] = [
        ...[await mint(), await mint('a'), await mint('a/b/c'), await mint('x')],
      ] as [string, string, string, string];
      const rights = async (of: string) => {
        const actor = await node.tenantTokens.authenticate(of);
        return { permissions: [...actor.permissions], pathPrefix: actor.pathPrefix };
      };
      expect(await rights(token)).toEqual({ permissions: ['files:read', 'files:write'], pathPrefix: undefined });
      const change = (json: object) => node.keys.update(owner, made.id, json);
      await change({ permissions: ['tenants:manage', 'files:read'] });
      expect(await rights(token)).toEqual({ permissions: ['files:read'], pathPrefix: undefined });
      await change({ permissions: ['admin'], restrictions: { pathPrefix: 'a/b' } });
      expect(await rights(token)).toEqual({ permissions: ['files:read', 'files:write'], pathPrefix: 'a/b' });
      expect((await rights(inFolder)).pathPrefix).toBe('a/b');
      expect((await rights(inDeepFolder)).pathPrefix).toBe('a/b/c');
      await expect(rights(elsewhere)).rejects.toMatchObject({ code: 'unauthenticated' });
      await change({ restrictions: { tenantId: id } });
      expect((await rights(elsewhere)).pathPrefix).toBe('x');
      await change({ restrictions: { tenantId: other.id } });
      await expect(rights(token)).rejects.toMatchObject({ code: 'unauthenticated' });
      await change({ restrictions: {} });
      await node.keys.rotate(owner, made.id, { overlapSeconds: 60 });
      expect((await rights(token)).permissions).toContain('files:read');
      world.clock.advance(60_001);
      await expect(rights(token)).rejects.toMatchObject({ code: 'unauthenticated' });
    });
  });

  describe('keys', () => {
    it('show themselves once, and begin as their list says', async () => {
      const { owner, projectId } = await project();
      const input = { projectId, name: 'ci', permissions: ['files:read' as const], restrictions: {}, expiresAt: null };
      const { key, uploadthingToken, ...made } = await node.keys.create(owner, input);
      expect(uploadthingToken).toBeNull();
      expect(key.startsWith(`${made.start}_`)).toBe(true);
      expect((await node.keys.list(owner, { projectId, limit: 50 })).items).toEqual([made]);
      expect(JSON.stringify(await node.keys.get(owner, made.id))).not.toContain(key);
    });

    it('give nobody more than who makes them has', async () => {
      const { projectId } = await project();
      const maker = apiKeyActor(world.ids, projectId, ['api-keys:write', 'files:read'], { ipRanges: ['10.0.0.0/8'] });
      const input = { name: 'child', restrictions: {}, expiresAt: null };
      await expect(node.keys.create(maker, { ...input, permissions: ['files:write'] })).rejects.toMatchObject({
        code: 'forbidden',
      });
      const child = await node.keys.create(maker, { ...input, permissions: ['files:read'] });
      expect(child.restrictions).toEqual({ ipRanges: ['10.0.0.0/8'] });
      const confined = apiKeyActor(world.ids, projectId, ['admin'], { pathPrefix: 'a' });
      await expect(node.keys.create(confined, { ...input, permissions: ['files:read'] })).rejects.toMatchObject({
        code: 'forbidden',
      });
    });

    it('are replaced by one that may the same, and work on for the overlap', async () => {
      const { owner, projectId } = await project();
      const input = { projectId, name: 'old', permissions: ['files:read' as const], restrictions: { pathPrefix: 'a' } };
      const old = await node.keys.create(owner, { ...input, expiresAt: null });
      const next = await node.keys.rotate(owner, old.id, { overlapSeconds: 100 });
      expect(next).toMatchObject({ name: 'old', permissions: ['files:read'], restrictions: { pathPrefix: 'a' } });
      await expect(node.keys.rotate(owner, old.id, { overlapSeconds: 0 })).rejects.toMatchObject({ code: 'conflict' });
      world.clock.advance(99_000);
      await node.apiKeys.authenticate(old.key);
      world.clock.advance(2000);
      expect(() => node.apiKeys.authenticate(old.key)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
      await node.apiKeys.authenticate(next.key);
    });

    it('say when they were last used', async () => {
      const { owner, projectId } = await project();
      const input = {
        projectId,
        name: 'used',
        permissions: ['files:read' as const],
        restrictions: {},
        expiresAt: null,
      };
      const { id, key } = await node.keys.create(owner, input);
      expect(await node.keys.get(owner, id)).toMatchObject({ lastUsedAt: null });
      await node.apiKeys.authenticate(key);
      await node.apiKeys.saveUse();
      const lastUsedAt = new Date(world.clock.now()).toISOString();
      expect(await node.keys.get(owner, id)).toMatchObject({ lastUsedAt });
    });
  });
});
