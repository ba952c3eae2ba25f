import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { QuotaMetric, Quotas } from '@carcosa/contracts';
import { SYSTEM } from '@carcosa/domain';
import type { OrganizationId, ProjectId, TenantId } from '@carcosa/kernel';
import { ManualClock } from '@carcosa/kernel';
import type { TestNode } from '@carcosa/server/testing';
import { startTestNode } from '@carcosa/server/testing';
import { createTestDatabase, type DatabaseKind } from '../../support/database.ts';

export interface Scopes {
  organizationId: OrganizationId;
  projectId: ProjectId;
  tenantId: TenantId;
  /** Of the project, with every permission, a thousandfold. */
  key: string;
}

/** A node of its own whose projects have quotas. */
export class QuotaWorld {
  readonly clock = new ManualClock(Date.UTC(2026, 10, 15));
  readonly database: Awaited<ReturnType<typeof createTestDatabase>>;
  readonly nodes: TestNode[] = [];
  readonly #directory: string;

  private constructor(database: QuotaWorld['database'], directory: string) {
    this.database = database;
    this.#directory = directory;
  }

  static async open(kind: DatabaseKind): Promise<QuotaWorld> {
    const database = await createTestDatabase({ kind });
    const world = new QuotaWorld(database, await mkdtemp(path.join(tmpdir(), 'carcosa-quotas-')));
    await world.addNode();
    return world;
  }

  async addNode(): Promise<TestNode> {
    const env = { DATABASE_URL: this.database.connectionString, CARCOSA_DATA_DIR: this.#directory };
    const node = await startTestNode({ env, clock: this.clock });
    this.nodes.push(node);
    return node;
  }

  get node(): TestNode {
    return this.nodes[0] as TestNode;
  }

  get carcosa(): TestNode['carcosa'] {
    return this.node.carcosa;
  }

  /** An organization, project and tenant that nothing was put into. */
  async scopes(): Promise<Scopes> {
    const { ids, apiKeys, inTransaction } = this.carcosa;
    const [organizationId, teamId, projectId, tenantId] = [
      ids.next('organization'),
      ids.next('team'),
      ids.next('project'),
      ids.next('tenant'),
    ];
    await inTransaction(async (tx) => {
      await tx.query(`insert into organizations (id, name, slug, created_at) values ($1, 'o', $1, now())`, [
        organizationId,
      ]);
      await tx.query(
        `insert into teams (id, organization_id, name, slug, created_at) values ($2, $1, 't', 't', now())`,
        [organizationId, teamId],
      );
      await tx.query(
        `insert into projects (id, organization_id, team_id, bucket_id, name, slug, settings, created_at, updated_at)
         select $3, $1, $2, bucket_id, 'p', 'p', '{"rateLimits": {"public-download": null}}', now(), now() from projects where slug = 'default'`,
        [organizationId, teamId, projectId],
      );
      await tx.query(
        `insert into tenants (id, project_id, external_id, name, created_at, updated_at) values ($2, $1, 'e', 'n', now(), now())`,
        [projectId, tenantId],
      );
    });
    const key = { projectId, label: 'test', permissions: ['admin' as const], limitFactor: 1000 };
    return { organizationId, projectId, tenantId, key: (await apiKeys.create(key)).token };
  }

  setProject(id: string, quotas: Quotas) {
    return this.carcosa.quotaSettings.setProject(SYSTEM, id, quotas);
  }

  /** What is used and reserved of a project's quota. */
  async usage(id: string, metric: QuotaMetric = 'bytes'): Promise<{ used: number | null; reserved: number | null }> {
    const { usage } = await this.carcosa.quotaSettings.project(SYSTEM, id);
    const found = usage.find((each) => each.metric === metric);
    return { used: found?.used ?? null, reserved: found?.reserved ?? null };
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.close();
    await this.database.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
