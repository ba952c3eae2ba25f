import type { MemberRole } from '@carcosa/contracts';
import { type Database, type Queryable, transaction } from '@carcosa/database';
import {
  Access,
  ApiKeyManager,
  ApiKeyService,
  type InvitationMessage,
  InvitationService,
  KeyRing,
  OrganizationService,
  ProjectFactsCache,
  ProjectService,
  Sealer,
  SigningKeys,
  TeamBuckets,
  TeamService,
  TenantFactsCache,
  TenantService,
  TenantTokens,
  type UserActor,
} from '@carcosa/domain';
import { IdGenerator, ManualClock, type OrganizationId, systemRandom, type TeamId, type UserId } from '@carcosa/kernel';
import { createTestDatabase, type DatabaseKind } from '../../support/database.ts';

export const PUBLIC_URL = 'https://files.example';

/** A database with the services of the tree on it, and people who are logged in. */
export class TreeWorld {
  readonly clock = new ManualClock(Date.UTC(2026, 5, 1));
  readonly ids = new IdGenerator(this.clock);
  readonly sent: InvitationMessage[] = [];
  readonly announced: UserId[] = [];
  readonly removals: { projectId: string; tenantId: string | null }[] = [];
  readonly database: Database;
  readonly db: Queryable;

  private constructor(database: Database) {
    this.database = database;
    this.db = database.pool;
  }

  static async open(kind: DatabaseKind): Promise<TreeWorld> {
    return new TreeWorld(await createTestDatabase({ kind, poolSize: 10 }));
  }

  async close(): Promise<void> {
    await this.database.close();
  }

  /** The services of one node. */
  node() {
    const { clock, ids, db, sent, announced, removals } = this;
    const apiKeys = new ApiKeyService({ db, clock, ids, random: systemRandom });
    const projectFacts = new ProjectFactsCache({ db, clock });
    const access = new Access({ projects: projectFacts });
    const tenantFacts = new TenantFactsCache({ db, clock });
    const common = {
      ...{ db, clock, ids, access, apiKeys, tenantFacts, random: systemRandom, publicUrl: PUBLIC_URL },
      transaction: <Result>(work: (tx: Queryable) => Promise<Result>) => transaction(this.database.pool, work),
      buckets: new TeamBuckets(),
      announceMembership: async (_tx: Queryable, userId: UserId) => {
        announced.push(userId);
      },
      removeLater: async (_tx: Queryable, what: { projectId: string; tenantId: string | null }) => {
        removals.push(what);
      },
    };
    const tenants = new TenantService({ ...common, onChange: (id) => tenantFacts.invalidate(id) });
    const tenantTokens = new TenantTokens({ ...common, tenants, secret: Buffer.alloc(32, 7) });
    return {
      ...{ access, apiKeys, tenants, tenantTokens, projectFacts, tenantFacts },
      organizations: new OrganizationService({ ...common, givesLocalBucket: true }),
      teams: new TeamService(common),
      invitations: new InvitationService({
        ...common,
        send: async (message) => {
          sent.push(message);
        },
      }),
      projects: new ProjectService({ ...common, onChange: (id) => projectFacts.invalidate(id) }),
      keys: new ApiKeyManager({
        ...common,
        signingKeys: new SigningKeys({
          ...common,
          sealer: new Sealer({ keyRing: new KeyRing([], 'x'.repeat(32)), random: systemRandom }),
        }),
        onChange: ({ id, publicId }) => {
          apiKeys.invalidate(publicId);
          tenantTokens.keyChanged(id);
        },
      }),
    };
  }

  /** A new person, and nothing more. */
  async person(email = `${this.ids.next('user')}@example.com`): Promise<UserId> {
    const id = this.ids.next('user');
    await this.db.query(
      `insert into users (id, name, email, email_verified, created_at, updated_at) values ($1, 'A person', $2, true, now(), now())`,
      [id, email],
    );
    return id;
  }

  /** The person as the edge knows it now: with the memberships that the database has. */
  async login(id: UserId): Promise<UserActor> {
    const organizations = await this.db.query<{ id: OrganizationId; role: MemberRole }>(
      'select organization_id as id, role from organization_members where user_id = $1',
      [id],
    );
    const teams = await this.db.query<{ id: TeamId; role: MemberRole }>(
      'select team_id as id, role from team_members where user_id = $1',
      [id],
    );
    return {
      ...{ type: 'user', id, sessionId: this.ids.next('session'), isServerAdmin: false },
      organizations: new Map(organizations.rows.map((row) => [row.id, row.role])),
      teams: new Map(teams.rows.map((row) => [row.id, row.role])),
    };
  }

  /** An organization with one member of each role, and the first team of it. */
  async organization(name = 'Acme') {
    const { organizations } = this.node();
    const owner = await this.person();
    const made = await organizations.create(await this.login(owner), { name });
    const id = made.id as OrganizationId;
    const people = { owner, admin: await this.person(), member: await this.person(), viewer: await this.person() };
    for (const role of ['admin', 'member', 'viewer'] as const) await this.join(id, people[role], role);
    const { rows } = await this.db.query<{ id: TeamId }>('select id from teams where organization_id = $1', [id]);
    return { id, teamId: rows[0]?.id as TeamId, people };
  }

  async join(id: OrganizationId, userId: UserId, role: MemberRole): Promise<void> {
    await this.db.query(
      'insert into organization_members (organization_id, user_id, role, created_at) values ($1, $2, $3, now())',
      [id, userId, role],
    );
  }

  async joinTeam(id: TeamId, userId: UserId, role: MemberRole): Promise<void> {
    await this.db.query('insert into team_members (team_id, user_id, role, created_at) values ($1, $2, $3, now())', [
      id,
      userId,
      role,
    ]);
  }
}
