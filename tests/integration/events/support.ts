import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Delivery, DeliveryDetail, NewWebhook, Webhook } from '@carcosa/contracts';
import { type Queryable, recordAudit } from '@carcosa/database';
import { auditEntry, SYSTEM } from '@carcosa/domain';
import { type Clock, ManualClock, type ProjectId } from '@carcosa/kernel';
import { startTestNode, type TestNode } from '@carcosa/server/testing';
import { now } from '../../support/clock.ts';
import { createTestDatabase, type DatabaseKind } from '../../support/database.ts';

export interface WebhookWorldOptions {
  kind: DatabaseKind;
  clock?: Clock;
  env?: Record<string, string>;
  webhookTimeoutMs?: number;
  /** Whether nodes of this process send; default true. */
  sends?: boolean;
}

/** A node that sends webhooks, by a clock that stands still until it is moved. */
export class WebhookWorld {
  readonly nodes: TestNode[] = [];
  readonly clock = new ManualClock(Math.floor(now()));
  readonly #options: WebhookWorldOptions;
  readonly #database: Awaited<ReturnType<typeof createTestDatabase>>;
  readonly #dataDir: string;
  #key = '';
  projectId = '' as ProjectId;

  private constructor(
    options: WebhookWorldOptions,
    database: Awaited<ReturnType<typeof createTestDatabase>>,
    dataDir: string,
  ) {
    this.#options = options;
    this.#database = database;
    this.#dataDir = dataDir;
  }

  static async open(options: WebhookWorldOptions): Promise<WebhookWorld> {
    const database = await createTestDatabase({ kind: options.kind });
    const world = new WebhookWorld(options, database, await mkdtemp(path.join(tmpdir(), 'carcosa-webhooks-')));
    const node = await world.addNode();
    const { rows } = await world.db.query<{ id: ProjectId }>(`select id from projects where slug = 'default'`);
    world.projectId = rows[0]?.id as ProjectId;
    const key = { projectId: world.projectId, label: 'test', permissions: ['admin' as const], limitFactor: 1000 };
    world.#key = (await node.carcosa.apiKeys.create(key)).token;
    return world;
  }

  get db(): Queryable {
    return this.#database.pool;
  }

  /** For transactions. */
  get pool() {
    return this.#database.pool;
  }

  get connectionString(): string {
    return this.#database.connectionString;
  }

  get dataDir(): string {
    return this.#dataDir;
  }

  get node(): TestNode {
    return this.nodes[0] as TestNode;
  }

  async addNode(): Promise<TestNode> {
    const { env, clock = this.clock, webhookTimeoutMs = 15_000 } = this.#options;
    const node = await startTestNode({
      env: {
        DATABASE_URL: this.#database.connectionString,
        CARCOSA_DATA_DIR: this.#dataDir,
        CARCOSA_WEBHOOK_ALLOW_PRIVATE: '127.0.0.1',
        ...env,
      },
      clock,
      webhookTimeoutMs,
    });
    if (this.#options.sends !== false) node.carcosa.webhookWorker.start();
    this.nodes.push(node);
    return node;
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.close();
    await this.#database.close();
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  /** Moves the clock, and lets all nodes look for what has become due. */
  advance(milliseconds: number): void {
    this.clock.advance(milliseconds);
    this.wake();
  }

  wake(): void {
    for (const { carcosa } of this.nodes) carcosa.webhookWorker.wake();
  }

  async call(method: string, address: string, json?: unknown, key = this.#key) {
    const response = await fetch(`${this.node.url}/api/v1${address}`, {
      method,
      headers: { 'x-api-key': key, ...(json === undefined ? {} : { 'content-type': 'application/json' }) },
      body: json === undefined ? null : JSON.stringify(json),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  }

  /** The data of a success. */
  async api<Data>(method: string, address: string, json?: unknown): Promise<Data> {
    const { status, body } = await this.call(method, address, json);
    if (status >= 400) throw new Error(`${method} ${address}: ${status} ${JSON.stringify(body)}`);
    return body?.data as Data;
  }

  webhook(url: string, rest: object = {}): Promise<NewWebhook> {
    return this.api('POST', '/webhooks', { projectId: this.projectId, url, ...rest });
  }

  health(id: string): Promise<Webhook> {
    return this.api('GET', `/webhooks/${id}`);
  }

  async deliveries(id: string, query = ''): Promise<Delivery[]> {
    return (await this.api<{ items: Delivery[] }>('GET', `/webhooks/${id}/deliveries?limit=100${query}`)).items;
  }

  async history(id: string): Promise<DeliveryDetail['history']> {
    const [last] = await this.deliveries(id);
    if (!last) return [];
    return (await this.api<DeliveryDetail>('GET', `/webhooks/${id}/deliveries/${last.id}`)).history;
  }

  /** Events of as many changes of things that are named so; without anything that uploads do. Their numbers go on from `first`. */
  async happen(resources: readonly string[], db: Queryable = this.db, first = 0): Promise<void> {
    await recordAudit(
      db,
      resources.map((id, index) =>
        auditEntry(
          SYSTEM,
          {
            ...{ action: 'file.trash', resource: { type: 'file', id }, place: { projectId: this.projectId } },
            after: { path: id, index: first + index },
          },
          this.clock,
        ),
      ),
    );
  }
}
