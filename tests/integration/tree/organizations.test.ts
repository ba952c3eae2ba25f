import type { MemberRole } from '@carcosa/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { TreeWorld } from './world.ts';

describe.each(databaseKinds())('organizations on %s', (kind) => {
  let world: TreeWorld;
  let node: ReturnType<TreeWorld['node']>;
  beforeAll(async () => {
    world = await TreeWorld.open(kind);
    node = world.node();
  });
  afterAll(() => world.close());

  it('belongs to whoever made it, with a team and a bucket to begin with', async () => {
    const maker = await world.login(await world.person());
    const made = await node.organizations.create(maker, { name: 'Ölmühle & Söhne' });
    expect(made).toMatchObject({ name: 'Ölmühle & Söhne', slug: 'olmuhle-sohne', role: 'owner' });
    const known = await world.login(maker.id);
    expect((await node.organizations.list(known, { limit: 50 })).items).toEqual([made]);
    expect((await node.teams.list(known, { limit: 50 })).items).toMatchObject([{ slug: 'default', role: 'owner' }]);
  });

  it('finds another slug when nobody chose one, and refuses a chosen one that is taken', async () => {
    const maker = await world.login(await world.person());
    const first = await node.organizations.create(maker, { name: 'Twice' });
    const second = await node.organizations.create(maker, { name: 'Twice' });
    expect(second.slug).not.toBe(first.slug);
    await expect(node.organizations.create(maker, { name: 'x', slug: first.slug })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  it('is not there for strangers, and not for keys', async () => {
    const { id } = await world.organization();
    const stranger = await world.login(await world.person());
    const calls = [
      () => node.organizations.get(stranger, id),
      () => node.organizations.update(stranger, id, { name: 'x' }),
      () => node.organizations.remove(stranger, id),
      () => node.organizations.listMembers(stranger, id, { limit: 1 }),
      () => node.organizations.setRole(stranger, id, stranger.id, 'owner'),
      () => node.organizations.transfer(stranger, id, stranger.id),
      () => node.organizations.removeMember(stranger, id, stranger.id),
      () => node.invitations.invite(stranger, id, { email: 'a@example.com', role: 'member' }),
      () => node.invitations.list(stranger, id, { limit: 1 }),
      () => node.teams.create(stranger, { organizationId: id, name: 'x' }),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'not_found' });
  });

  const changes: [MemberRole, MemberRole, MemberRole, string | null][] = [
    ['owner', 'member', 'admin', null],
    ['owner', 'admin', 'owner', null],
    ['admin', 'member', 'viewer', null],
    ['admin', 'member', 'owner', 'forbidden'],
    ['admin', 'owner', 'member', 'forbidden'],
    ['member', 'viewer', 'member', 'forbidden'],
    ['viewer', 'viewer', 'admin', 'forbidden'],
    ['owner', 'owner', 'admin', 'last_owner'],
  ];
  it.each(changes)('%s makes a %s a %s: %s', async (by, whom, role, refusal) => {
    const { id, people } = await world.organization();
    const attempt = node.organizations.setRole(await world.login(people[by]), id, people[whom], role);
    if (refusal) await expect(attempt).rejects.toMatchObject({ code: refusal });
    else expect(await attempt).toMatchObject({ userId: people[whom], role });
  });

  it('keeps one owner when two owners leave at once', async () => {
    const { id, people } = await world.organization();
    const owner = await world.login(people.owner);
    await node.organizations.setRole(owner, id, people.admin, 'owner');
    const second = await world.login(people.admin);
    const outcomes = await Promise.allSettled([
      node.organizations.removeMember(owner, id, owner.id),
      node.organizations.removeMember(second, id, second.id),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const { rows } = await world.db.query<{ n: number }>(
      `select count(*)::int as n from organization_members where organization_id = $1 and role = 'owner'`,
      [id],
    );
    expect(rows[0]?.n).toBe(1);
  });

  it('is handed over once, however often it is asked', async () => {
    const { id, people } = await world.organization();
    const owner = await world.login(people.owner);
    const outcomes = await Promise.allSettled([
      node.organizations.transfer(owner, id, people.admin),
      node.organizations.transfer(owner, id, people.member),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await world.login(people.owner)).organizations.get(id)).toBe('admin');
  });

  it('goes with everything in it, but not while it has projects', async () => {
    const { id, teamId, people } = await world.organization();
    const owner = await world.login(people.owner);
    const project = await node.projects.create(owner, { teamId, name: 'One' });
    await expect(node.organizations.remove(owner, id)).rejects.toMatchObject({
      code: 'conflict',
      details: { projects: 1 },
    });
    await node.projects.remove(owner, project.id, { withFiles: false });
    await node.organizations.remove(owner, id);
    expect((await world.login(people.owner)).organizations.has(id)).toBe(false);
  });

  it('takes a member out of its teams too', async () => {
    const { id, teamId, people } = await world.organization();
    await node.teams.setRole(await world.login(people.admin), teamId, people.member, 'admin');
    await node.organizations.removeMember(await world.login(people.owner), id, people.member);
    expect((await world.login(people.member)).teams.size).toBe(0);
  });

  it('writes down who did what', async () => {
    const { id, people } = await world.organization('Audited');
    await node.organizations.update(await world.login(people.admin), id, { name: 'Renamed' });
    const { rows } = await world.db.query(
      `select action, actor_id as actor, before, after from audit_entries where organization_id = $1 order by id`,
      [id],
    );
    expect(rows).toEqual([
      { action: 'organization.create', actor: people.owner, before: null, after: { name: 'Audited', slug: 'audited' } },
      {
        action: 'organization.update',
        actor: people.admin,
        before: { name: 'Audited' },
        after: { name: 'Renamed' },
      },
    ]);
  });
});

describe.each(databaseKinds())('invitations on %s', (kind) => {
  let world: TreeWorld;
  let node: ReturnType<TreeWorld['node']>;
  beforeAll(async () => {
    world = await TreeWorld.open(kind);
    node = world.node();
  });
  afterAll(() => world.close());

  const tokenOf = (link: string): string => new URL(link).hash.replace('#token=', '');

  async function invite(role: MemberRole = 'member', toTeam = false) {
    const place = await world.organization();
    const email = `${world.ids.next('user')}@example.com`;
    const input = { email, role, ...(toTeam ? { teamId: place.teamId } : {}) };
    const sent = await node.invitations.invite(await world.login(place.people.owner), place.id, input);
    return { ...place, email, sent, token: tokenOf(sent.link) };
  }

  it('makes whoever has the address a member, once', async () => {
    const { id, email, token } = await invite('viewer');
    expect(await node.invitations.preview(token)).toMatchObject({ email, role: 'viewer', team: null });
    const guest = await world.login(await world.person(email));
    expect(await node.invitations.accept(guest, token)).toMatchObject({ status: 'accepted' });
    expect((await world.login(guest.id)).organizations.get(id)).toBe('viewer');
    await expect(node.invitations.accept(guest, token)).rejects.toMatchObject({ code: 'not_found' });
    await expect(node.invitations.preview(token)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is accepted once when it is accepted twice at once', async () => {
    const { email, token } = await invite();
    const guest = await world.login(await world.person(email));
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => node.invitations.accept(guest, token)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('opens a team, and its organization as a member', async () => {
    const { id, teamId, email, token } = await invite('admin', true);
    const guest = await world.login(await world.person(email));
    await node.invitations.accept(guest, token);
    const known = await world.login(guest.id);
    expect([known.organizations.get(id), known.teams.get(teamId)]).toEqual(['member', 'admin']);
  });

  it('is not for somebody with another address', async () => {
    const { token } = await invite();
    const other = await world.login(await world.person());
    await expect(node.invitations.accept(other, token)).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('ends by time, by withdrawal, by refusal, and by a newer link', async () => {
    const late = await invite();
    world.clock.advance(7 * 24 * 3600 * 1000 + 1);
    await expect(node.invitations.preview(late.token)).rejects.toMatchObject({ code: 'not_found' });
    const revoked = await invite();
    await node.invitations.revoke(await world.login(revoked.people.admin), revoked.sent.id);
    await expect(node.invitations.preview(revoked.token)).rejects.toMatchObject({ code: 'not_found' });
    const declined = await invite();
    await node.invitations.decline({ type: 'anonymous' }, declined.token);
    await expect(node.invitations.decline({ type: 'anonymous' }, declined.token)).rejects.toMatchObject({
      code: 'not_found',
    });
    const again = await invite();
    const resent = await node.invitations.resend(await world.login(again.people.owner), again.sent.id);
    await expect(node.invitations.preview(again.token)).rejects.toMatchObject({ code: 'not_found' });
    expect(await node.invitations.preview(tokenOf(resent.link))).toMatchObject({ email: again.email });
  });

  it('is one an address, until its time is over', async () => {
    const { id, people, email } = await invite();
    const owner = await world.login(people.owner);
    await expect(node.invitations.invite(owner, id, { email, role: 'member' })).rejects.toMatchObject({
      code: 'conflict',
    });
    world.clock.advance(8 * 24 * 3600 * 1000);
    expect(await node.invitations.invite(owner, id, { email, role: 'member' })).toMatchObject({ status: 'pending' });
  });

  it('to be an owner comes from owners alone', async () => {
    const { id, people } = await world.organization();
    const admin = await world.login(people.admin);
    const attempt = node.invitations.invite(admin, id, { email: 'heir@example.com', role: 'owner' });
    await expect(attempt).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('is kept as a hash', async () => {
    const { token, sent } = await invite();
    const { rows } = await world.db.query('select invitations::text as text from invitations where id = $1', [sent.id]);
    expect(rows[0]?.text).not.toContain(token);
    const audit = await world.db.query('select string_agg(audit_entries::text, $1) as text from audit_entries', ['']);
    expect(audit.rows[0]?.text).not.toContain(token);
  });
});
