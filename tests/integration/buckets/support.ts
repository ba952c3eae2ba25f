import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Bucket, CreateBucketBody, MemberRole } from '@carcosa/contracts';
import { type Database, insertOrganization, insertProject, insertTeam } from '@carcosa/database';
import type { UserActor } from '@carcosa/domain';
import { type BucketId, IdGenerator, type OrganizationId, type ProjectId, type TeamId } from '@carcosa/kernel';
import { startTestNode, type TestNode } from '@carcosa/server/testing';
import type { S3StoreConfig } from '@carcosa/storage/adapters/s3';
import { createTestDatabase, type DatabaseKind } from '../../support/database.ts';

export interface BucketWorldOptions {
  kind?: DatabaseKind;
  env?: Record<string, string>;
  logTo?: (line: string) => void;
}

/** An organization with a team on a server in this process, and people of every kind who have to do with its buckets. */
export class BucketWorld {
  readonly ids = new IdGenerator();
  readonly organizationId = this.ids.next('organization');
  readonly teamId = this.ids.next('team');
  /** Another organization's. */
  readonly foreignTeamId = this.ids.next('team');
  readonly foreignOrganizationId = this.ids.next('organization');
  readonly nodes: TestNode[] = [];
  readonly database: Database;
  readonly dataDir: string;
  readonly #options: BucketWorldOptions;

  private constructor(database: Database, dataDir: string, options: BucketWorldOptions) {
    this.database = database;
    this.dataDir = dataDir;
    this.#options = options;
  }

  static async open(options: BucketWorldOptions = {}): Promise<BucketWorld> {
    const database = await createTestDatabase({ kind: options.kind ?? 'embedded' });
    const world = new BucketWorld(database, await mkdtemp(path.join(tmpdir(), 'carcosa-buckets-')), options);
    await world.addNode();
    await world.#people(world.organizationId, world.teamId);
    await world.#people(world.foreignOrganizationId, world.foreignTeamId);
    return world;
  }

  /** The services of the first node. */
  get carcosa(): TestNode['carcosa'] {
    return (this.nodes[0] as TestNode).carcosa;
  }

  async addNode(env: Record<string, string> = {}): Promise<TestNode> {
    const { logTo } = this.#options;
    const node = await startTestNode({
      env: {
        DATABASE_URL: this.database.connectionString,
        CARCOSA_DATA_DIR: this.dataDir,
        CARCOSA_BUCKET_ALLOW_PRIVATE: '127.0.0.0/8',
        ...this.#options.env,
        ...env,
      },
      ...(logTo ? { logTo } : {}),
    });
    this.nodes.push(node);
    return node;
  }

  /** Somebody with these roles; the second of a team of the organization. */
  user(role: MemberRole | null, inTeam?: MemberRole, options: { isServerAdmin?: boolean } = {}): UserActor {
    return {
      type: 'user',
      id: this.ids.next('user'),
      sessionId: this.ids.next('session'),
      isServerAdmin: options.isServerAdmin ?? false,
      organizations: new Map(role ? [[this.organizationId, role]] : []),
      teams: new Map(inTeam ? [[this.teamId, inTeam]] : []),
    };
  }

  foreigner(): UserActor {
    const organizations = new Map([[this.foreignOrganizationId, 'owner' as const]]);
    return { ...this.user(null), organizations, teams: new Map([[this.foreignTeamId, 'owner' as const]]) };
  }

  s3Bucket(input: Partial<Extract<CreateBucketBody, { provider: 's3' }>> = {}): CreateBucketBody {
    return {
      provider: 's3',
      organizationId: this.organizationId,
      name: `bucket ${this.ids.next('object')}`,
      bucket: 'media',
      endpoint: 'https://s3.example.com',
      credentials: { accessKeyId: 'AKIAEXAMPLE12345', secretAccessKey: 'not a secret of anybody'.replaceAll(' ', '-') },
      shares: [],
      ...input,
    };
  }

  /** Adds the bucket of a test's gateway. */
  async addBucket(config: S3StoreConfig, input: Parameters<BucketWorld['s3Bucket']>[0] = {}): Promise<Bucket> {
    const { accessKeyId = '', secretAccessKey = '' } = config.credentials ?? {};
    const body = this.s3Bucket({
      bucket: config.bucket,
      endpoint: config.endpoint,
      credentials: { accessKeyId, secretAccessKey },
      ...input,
    });
    return await this.carcosa.buckets.create(this.user('owner'), body);
  }

  async addProject(bucketId: string, teamId: TeamId = this.teamId): Promise<ProjectId> {
    const id = this.ids.next('project');
    const organizationId = teamId === this.teamId ? this.organizationId : this.foreignOrganizationId;
    const row = { id, organizationId, teamId, bucketId: bucketId as BucketId, name: id, slug: id.replace('_', '-') };
    await insertProject(this.database.pool, { ...row, settings: {} });
    return id;
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.close();
    await this.database.close();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  async #people(organizationId: OrganizationId, teamId: TeamId): Promise<void> {
    const slug = organizationId.replace('_', '-');
    await insertOrganization(this.database.pool, { id: organizationId, name: slug, slug });
    await insertTeam(this.database.pool, { id: teamId, organizationId, name: 'team', slug: 'team' });
  }
}
