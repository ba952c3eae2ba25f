import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { ProjectSettings } from '@carcosa/contracts';
import { type Database, type Queryable, transaction } from '@carcosa/database';
import * as schema from '@carcosa/database/schema';
import {
  Access,
  type Actor,
  DirectUploadService,
  type Notifications,
  OperationProgress,
  PartAddresses,
  ProjectFactsCache,
  Quotas,
  removeDueObjects,
  TenantFactsCache,
  UploadCollector,
  UploadCompletion,
  UploadLeases,
  UploadProgress,
  UploadService,
  WholeUploads,
} from '@carcosa/domain';
import { CarcosaError, IdGenerator, ManualClock, type ProjectId, silentLogger, systemRandom } from '@carcosa/kernel';
import { DiskWorkers, LocalObjectStore } from '@carcosa/storage/adapters/local';
import type { ObjectStore } from '@carcosa/storage/port';
import { apiKeyActor } from '../../support/actors.ts';
import { createTestDatabase, type DatabaseKind } from '../../support/database.ts';

/** One database and one bucket, on which any number of engines can run as the nodes of a cluster. */
export class UploadWorld {
  readonly clock = new ManualClock(Date.UTC(2026, 5, 1));
  readonly ids = new IdGenerator(this.clock);
  readonly projectId = this.ids.next('project');
  readonly actor: Actor = apiKeyActor(this.ids, this.projectId, ['files:write', 'files:read']);
  readonly database: Database;
  readonly root: string;
  readonly #subscribers = new Map<string, Set<(payload: Record<string, unknown>) => void>>();
  readonly #closers: (() => Promise<void>)[] = [];

  private constructor(database: Database, root: string) {
    this.database = database;
    this.root = root;
  }

  static async open(kind: DatabaseKind): Promise<UploadWorld> {
    const database = await createTestDatabase({ kind, poolSize: 20 });
    const world = new UploadWorld(database, await mkdtemp(path.join(tmpdir(), 'carcosa-uploads-')));
    await world.#provision();
    return world;
  }

  async close(): Promise<void> {
    for (const close of this.#closers) await close();
    await this.database.close();
    await rm(this.root, { recursive: true, force: true });
  }

  /** One node: its own engine, leases and store, and with `db` its own view of the database. */
  async node(name: string, db: Queryable = this.database.pool) {
    const workers = new DiskWorkers(1);
    const store = await LocalObjectStore.open({ root: this.root, workers });
    const stores = { storeFor: async (): Promise<ObjectStore> => store };
    const { clock, ids } = this;
    const common = {
      access: new Access({ projects: new ProjectFactsCache({ db, clock }) }),
      tenants: new TenantFactsCache({ db, clock }),
      db,
      transaction: <Result>(work: (tx: Queryable) => Promise<Result>) => transaction(this.database.pool, work),
      stores,
      clock,
      ids,
      random: systemRandom,
      logger: silentLogger,
      publicUrl: 'http://test',
      instance: name,
    };
    const projects = {
      uploadProject: async (id: ProjectId) => ({
        ...this.#owner,
        id,
        defaultVisibility: 'private' as const,
        hashDirectUploads: true,
        rules: { allowedTypes: null, maxFileSize: null },
      }),
    };
    const notifications = this.#notifications();
    const leases = new UploadLeases({ ...common, notifications });
    const operations = new OperationProgress({ notifications, instance: name });
    const progress = new UploadProgress({ db, progress: operations });
    const completion = new UploadCompletion({ ...common, projects, progress });
    const inTransaction = <Result>(work: (tx: Queryable) => Promise<Result>) => transaction(this.database.pool, work);
    const facts = new ProjectFactsCache({ db, clock });
    const quotas = new Quotas({ transaction: inTransaction, projects: facts, tenants: common.tenants, clock });
    const wholes = new WholeUploads({ ...common, projects, completion });
    const uploads = new UploadService({
      ...common,
      transaction: inTransaction,
      quotas,
      projects,
      leases,
      completion,
      wholes,
      progress,
    });
    const direct = new DirectUploadService({
      ...common,
      projects,
      uploads,
      leases,
      completion,
      progress,
      addresses: new PartAddresses({ secret: Buffer.alloc(32, 1), clock, publicUrl: 'http://test' }),
      hashLater: async () => {},
    });
    const collector = new UploadCollector(common);
    /** What the garbage service does with objects. */
    const removeObjects = () => removeDueObjects(common);
    this.#closers.push(async () => {
      operations.close();
      await leases.close();
      await store.close();
      await workers.close();
    });
    return { uploads, direct, collector, removeObjects, store, leases };
  }

  /** Every file below the bucket's directory, staged or not, relative to it. */
  /** But the journal, which holds copies. */
  async filesOnDisk(): Promise<string[]> {
    const entries = await readdir(this.root, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(this.root, path.join(entry.parentPath, entry.name)))
      .filter((name) => !name.startsWith('journal'));
  }

  /** As if the holder of the lease had not renewed it for long. */
  async lapseLease(id: string): Promise<void> {
    await this.database.pool.query(`update uploads set lease_until = now() - interval '1 second' where id = $1`, [id]);
  }

  readonly #owner = {
    organizationId: this.ids.next('organization'),
    teamId: this.ids.next('team'),
    bucketId: this.ids.next('bucket'),
  };

  async #provision(): Promise<void> {
    const { db } = this.database;
    const createdAt = new Date(this.clock.now());
    const { organizationId, teamId, bucketId } = this.#owner;
    await db.insert(schema.organizations).values({ id: organizationId, name: 'o', slug: 'o', createdAt });
    await db.insert(schema.teams).values({ id: teamId, organizationId, name: 't', slug: 't', createdAt });
    await db
      .insert(schema.buckets)
      .values({ id: bucketId, organizationId, name: 'b', provider: 'local', config: {}, createdAt });
    const settings = { ...ProjectSettings.parse({}) };
    const project = { id: this.projectId, organizationId, teamId, bucketId, name: 'p', slug: 'p', settings };
    await db.insert(schema.projects).values({ ...project, createdAt, updatedAt: createdAt });
  }

  #notifications(): Notifications {
    return {
      publish: async (channel, payload) => {
        for (const handler of this.#subscribers.get(channel) ?? []) handler(payload);
      },
      subscribe: (channel, handler) => {
        const handlers = this.#subscribers.get(channel) ?? new Set();
        this.#subscribers.set(channel, handlers);
        handlers.add(handler);
        return () => handlers.delete(handler);
      },
    };
  }
}

/** A body whose bytes the test sends when it wants. */
export class HeldBody extends Readable {
  override _read(): void {}

  send(bytes: Uint8Array): void {
    this.push(bytes);
  }

  end(): void {
    this.push(null);
  }
}

export const bodyOf = (bytes: Uint8Array): Readable => Readable.from([bytes], { objectMode: false });

/** Bytes that differ everywhere, so that no misplaced piece goes unseen. */
export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed * 2_654_435_761;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** A database that loses chosen statements: before they reach it, or their answer. */
export function losing(db: Queryable, text: string, when: 'before' | 'after', ...others: string[]) {
  let armed = true;
  const lost = () => new CarcosaError('database_unavailable', { message: 'the connection was lost' });
  const query: Queryable['query'] = async (query, values) => {
    const statement = typeof query === 'string' ? query : `${query.name} ${query.text}`;
    const chosen = armed && [text, ...others].some((part) => statement.includes(part));
    if (chosen && when === 'before') throw lost();
    const result = await db.query(query as string, values);
    if (chosen) {
      armed = false;
      throw lost();
    }
    return result as never;
  };
  return {
    db: { query } as Queryable,
    start: () => {
      armed = true;
    },
    stop: () => {
      armed = false;
    },
  };
}
