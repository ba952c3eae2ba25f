import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { File, ProjectSettings } from '@carcosa/contracts';
import type { Clock, ProjectId } from '@carcosa/kernel';
import { startTestNode, type TestNode } from '@carcosa/server/testing';
import type { ObjectStore } from '@carcosa/storage/port';
import { expect } from 'vitest';
import { createTestDatabase, type DatabaseKind } from '../../support/database.ts';

export interface ServingOptions {
  kind?: DatabaseKind;
  env?: Record<string, string>;
  clock?: Clock;
  /** Milliseconds after which a connection on which nothing moves is cut. */
  inactivityMs?: number;
  /** Puts something between the server and its bucket when it serves. */
  wrapStore?: (store: ObjectStore) => ObjectStore;
}

/** A server in this process, on a database and a data directory of its own, and as many nodes beside it as are wanted. */
export class ServingWorld {
  readonly nodes: ServingNode[] = [];
  readonly dataDir: string;
  readonly #options: ServingOptions;
  readonly #database: Awaited<ReturnType<typeof createTestDatabase>>;

  private constructor(
    options: ServingOptions,
    database: Awaited<ReturnType<typeof createTestDatabase>>,
    dataDir: string,
  ) {
    this.#options = options;
    this.#database = database;
    this.dataDir = dataDir;
  }

  static async open(options: ServingOptions = {}): Promise<ServingWorld> {
    const database = await createTestDatabase({ kind: options.kind ?? 'embedded' });
    const world = new ServingWorld(options, database, await mkdtemp(path.join(tmpdir(), 'carcosa-serving-')));
    await world.addNode();
    return world;
  }

  get node(): ServingNode {
    return this.nodes[0] as ServingNode;
  }

  async addNode(): Promise<ServingNode> {
    const { env, clock, inactivityMs, wrapStore = (store) => store } = this.#options;
    const node = await startTestNode({
      env: { DATABASE_URL: this.#database.connectionString, CARCOSA_DATA_DIR: this.dataDir, ...env },
      ...(clock ? { clock } : {}),
      ...(inactivityMs ? { limits: { inactivityMs } } : {}),
      wrapStores: (stores) => ({ storeFor: async (bucketId) => wrapStore(await stores.storeFor(bucketId)) }),
    });
    const { rows } = await this.#database.pool.query<{ id: ProjectId }>(
      `select id from projects where slug = 'default'`,
    );
    const projectId = rows[0]?.id as ProjectId;
    const key = { projectId, label: 'test', permissions: ['admin' as const], limitFactor: 1000 };
    const { token } = await node.carcosa.apiKeys.create(key);
    const serving = new ServingNode(node, projectId, token);
    this.nodes.push(serving);
    return serving;
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.close();
    await this.#database.close();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  /** Files of the bucket that this process has open. */
  openObjects(): string[] {
    return readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const target = readlinkSync(`/proc/self/fd/${fd}`);
        return target.startsWith(this.dataDir) && target.includes('/objects/') ? [target] : [];
      } catch {
        return [];
      }
    });
  }
}

export class ServingNode {
  readonly projectId: ProjectId;
  readonly #node: TestNode;
  readonly #key: string;

  constructor(node: TestNode, projectId: ProjectId, key: string) {
    this.#node = node;
    this.projectId = projectId;
    this.#key = key;
  }

  get url(): string {
    return this.#node.url;
  }

  get carcosa(): TestNode['carcosa'] {
    return this.#node.carcosa;
  }

  close(): Promise<void> {
    return this.#node.close();
  }

  /** Calls the API, and gives the data of a success. */
  async api<Data>(method: string, address: string, body?: unknown): Promise<Data> {
    const isBytes = body instanceof Uint8Array;
    const answer = await fetch(`${this.url}/api/v1${address}`, {
      method,
      headers: {
        'x-api-key': this.#key,
        ...(body === undefined || isBytes ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: isBytes ? Buffer.from(body) : JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${address}: ${answer.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text).data) as Data;
  }

  /** Stores bytes as a file; the same path again makes a version. */
  async put(
    filePath: string,
    bytes: Uint8Array | string,
    options: { type?: string; visibility?: string } = {},
  ): Promise<File> {
    const query = new URLSearchParams({ path: filePath, visibility: options.visibility ?? 'public' });
    const answer = await fetch(`${this.url}/api/v1/files?${query}`, {
      method: 'POST',
      headers: { 'x-api-key': this.#key, 'content-type': options.type ?? 'application/octet-stream' },
      body: Buffer.from(bytes as Uint8Array),
    });
    expect(answer.status).toBe(201);
    return (await answer.json()).data as File;
  }

  setting(settings: Partial<ProjectSettings>): Promise<unknown> {
    return this.api('PATCH', `/projects/${this.projectId}`, { settings });
  }

  /** Fetches an address of this node, absolute or not; redirects are not followed. */
  get(address: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
    const { pathname, search } = new URL(address, this.url);
    return fetch(`${this.url}${pathname}${search}`, { method, headers, redirect: 'manual' });
  }

  download(id: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.get(`/api/v1/files/${id}/download`, { 'x-api-key': this.#key, ...headers });
  }

  async bytes(address: string, headers?: Record<string, string>): Promise<Buffer> {
    return Buffer.from(await (await this.get(address, headers)).arrayBuffer());
  }
}

/** A client that asks for a file and never reads a byte of it. */
export class StalledClient {
  readonly #socket: Socket;
  readonly #port: number;

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
  }

  static async open(node: ServingNode, address: string): Promise<StalledClient> {
    const { port, pathname } = new URL(address);
    const socket = connect(Number(new URL(node.url).port || port), '127.0.0.1');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.pause().write(`GET ${pathname} HTTP/1.1\r\nHost: a\r\n\r\n`);
    return new StalledClient(socket, Number(new URL(node.url).port));
  }

  /** Whether the server has hung up. Who does not read is not told, so the system is asked. */
  get isCut(): boolean {
    const hex = (port: number | undefined) => `0100007F:${(port ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
    const established = `${hex(this.#port)} ${hex(this.#socket.localPort)} 01`;
    return !readFileSync('/proc/net/tcp', 'latin1').includes(established);
  }

  leave(): void {
    this.#socket.destroy();
  }
}

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

/** Compares without printing megabytes. */
export function expectSame(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  expect(Buffer.compare(actual, expected)).toBe(0);
}
