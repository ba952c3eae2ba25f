import {
  findApiKey,
  findApiKeyById,
  findInvitationByToken,
  findMember,
  findMemberships,
  findOrganization,
  findProject,
  findSessionIdentity,
  findTeam,
  findTenant,
  findWritableBucket,
  holdTeamBucket,
  listApiKeys,
  listInvitations,
  listMembers,
  listOrganizations,
  listProjects,
  listTeamMembers,
  listTeams,
  listTenants,
  type Queryable,
} from '@carcosa/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { explain, rowsRead } from '../../support/plans.ts';
import { TreeWorld } from './world.ts';

const ORGANIZATIONS = 1000;
const PROJECTS = 10_000;
const KEYS = 100_000;
/** Most rows that a look-up may read beyond what it gives: blocks of an index hold neighbours, but no table is read through. */
const FEW = 60;

/** An id as the generator makes them, of a number. */
const idOf = (prefix: string, n: number): never => `${prefix}_${String(n).padStart(26, '0')}` as never;

describe.each(databaseKinds())(
  'look-ups among 100,000 keys, 10,000 projects and 1,000 organizations, on %s',
  (kind) => {
    let world: TreeWorld;
    beforeAll(async () => {
      world = await TreeWorld.open(kind);
      await seed(world);
    }, 300_000);
    afterAll(() => world.close());

    const page = { limit: 50, after: undefined };
    const organization = idOf('org', 500);
    const team = idOf('team', 500);
    const place = { organizationId: organization, teamId: team };
    const lookUps: Record<string, (db: Queryable) => Promise<unknown>> = {
      'a key by its public id': (db) => findApiKey(db, 'public50000'),
      'a key by its id': (db) => findApiKeyById(db, idOf('key', 50_000)),
      'the keys of a project': (db) => listApiKeys(db, idOf('prj', 5000), page),
      'a project': (db) => findProject(db, idOf('prj', 5000)),
      'the projects of an organization': (db) =>
        listProjects(db, {
          organizations: [organization],
          teams: [],
          organizationId: undefined,
          teamId: undefined,
          ...page,
        }),
      'the projects of two teams': (db) =>
        listProjects(db, {
          organizations: [],
          teams: [team, idOf('team', 7)],
          organizationId: undefined,
          teamId: undefined,
          ...page,
        }),
      'an organization': (db) => findOrganization(db, organization),
      'some organizations': (db) => listOrganizations(db, [organization, idOf('org', 3)], page),
      'a team': (db) => findTeam(db, team),
      'the teams of an organization': (db) =>
        listTeams(db, { organizations: [organization], teams: [team], organizationId: undefined }, page),
      'the members of an organization': (db) => listMembers(db, organization, page),
      'the members of a team': (db) => listTeamMembers(db, team, page),
      'a member': (db) => findMember(db, organization, idOf('usr', 500)),
      'what a user is a member of': (db) => findMemberships(db, idOf('usr', 500)),
      'whose session it is': (db) => findSessionIdentity(db, idOf('ses', 500)),
      'an invitation by its link': (db) => findInvitationByToken(db, Buffer.from('token 500')),
      'the invitations of an organization': (db) => listInvitations(db, organization, page),
      'a tenant': (db) => findTenant(db, idOf('ten', 5000)),
      'the tenants of a project': (db) =>
        listTenants(db, { projectId: idOf('prj', 5000), id: null, externalId: undefined, ...page }),
      'a tenant by the name that the app has for it': (db) =>
        listTenants(db, { projectId: idOf('prj', 5000), id: null, externalId: 'customer 5000', ...page }),
      'what a team may do with a bucket': (db) => holdTeamBucket(db, place, idOf('bkt', 500)),
      'the first bucket that a team may write to': (db) => findWritableBucket(db, place),
    };

    it.each(Object.keys(lookUps))('finds %s by an index', async (name) => {
      const asked: { text: string; values: unknown[] }[] = [];
      const recorder: Queryable = {
        query: (query, values) => {
          asked.push(typeof query === 'string' ? { text: query, values: values ?? [] } : { values: [], ...query });
          return world.db.query(query as string, values);
        },
      };
      const found = await lookUps[name]?.(recorder);
      expect(Array.isArray(found) ? found.length : found).toBeTruthy();
      expect(asked.length).toBeGreaterThan(0);
      for (const { text, values } of asked) {
        const plan = await explain(world.db, { text, values });
        expect(plan.filter((node) => node['Node Type'] === 'Seq Scan')).toEqual([]);
        expect(rowsRead(plan)).toBeLessThanOrEqual(FEW);
      }
    });
  },
);

/** As many of each as the issue of scale names, spread evenly. */
async function seed({ db }: TreeWorld): Promise<void> {
  const id = (prefix: string, n: string): string => `'${prefix}_' || lpad((${n})::text, 26, '0')`;
  const many = (count: number): string => `generate_series(1, ${count}) n`;
  const statements = [
    `insert into organizations (id, name, slug, created_at) select ${id('org', 'n')}, 'o', 'o' || n, now() from ${many(ORGANIZATIONS)}`,
    `insert into teams (id, organization_id, name, slug, created_at)
       select ${id('team', 'n')}, ${id('org', 'n')}, 't', 't', now() from ${many(ORGANIZATIONS)}`,
    `insert into buckets (id, organization_id, name, provider, config, created_at)
       select ${id('bkt', 'n')}, ${id('org', 'n')}, 'b', 's3', '{}', now() from ${many(ORGANIZATIONS)}`,
    `insert into bucket_shares (bucket_id, team_id, access, created_at)
       select ${id('bkt', 'n')}, ${id('team', 'n')}, 'read-write', now() from ${many(ORGANIZATIONS)}`,
    `insert into projects (id, organization_id, team_id, bucket_id, name, slug, settings, created_at, updated_at)
       select ${id('prj', 'n')}, ${id('org', '1 + n % 1000')}, ${id('team', '1 + n % 1000')}, ${id('bkt', '1 + n % 1000')}, 'p', 'p' || n,
         '{}', now(), now() from ${many(PROJECTS)}`,
    `insert into api_keys (id, public_id, project_id, label, secret_hash, permissions, created_at)
       select ${id('key', 'n')}, 'public' || n, ${id('prj', '1 + n % 10000')}, 'k', sha256(n::text::bytea), '{files:read}', now()
       from ${many(KEYS)}`,
    `insert into tenants (id, project_id, external_id, name, created_at, updated_at)
       select ${id('ten', 'n')}, ${id('prj', '1 + n % 10000')}, 'customer ' || (1 + n % 10000), 't', now(), now() from ${many(PROJECTS)}`,
    `insert into users (id, name, email, created_at, updated_at) select ${id('usr', 'n')}, 'u', n || '@example.com', now(), now()
       from ${many(PROJECTS)}`,
    `insert into sessions (id, user_id, token, expires_at, created_at, updated_at)
       select ${id('ses', 'n')}, ${id('usr', 'n')}, 'session ' || n, now() + interval '1 day', now(), now() from ${many(PROJECTS)}`,
    `insert into organization_members (organization_id, user_id, role, created_at)
       select ${id('org', 'n')}, ${id('usr', 'n')}, 'owner', now() from ${many(ORGANIZATIONS)}`,
    `insert into team_members (team_id, user_id, role, created_at)
       select ${id('team', 'n')}, ${id('usr', 'n')}, 'owner', now() from ${many(ORGANIZATIONS)}`,
    `insert into invitations (id, organization_id, email, role, token_hash, invited_by, expires_at, created_at)
       select ${id('inv', 'n')}, ${id('org', '1 + n % 1000')}, n || '@example.com', 'member', convert_to('token ' || n, 'UTF8'), 'x',
         now() + interval '1 day', now() from ${many(PROJECTS)}`,
    'vacuum analyze',
  ];
  for (const statement of statements) await db.query(statement);
}
