import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPool, type EmbeddedPostgres, installationIn, migrate, startEmbeddedPostgres } from '@carcosa/database';
import { processIdentity, stopLeftover } from '@carcosa/database/testing';
import { silentLogger, systemClock } from '@carcosa/kernel';
import pg from 'pg';
import { type DatabaseKind, DEBIAN_BINARIES, DEBIAN_MAJOR, SERVERS_VARIABLE } from './database.ts';

/**
 * A global set-up of vitest: the database servers that all test files of a run share. Each kind starts when the first file
 * asks for it, and a file asks by HTTP on a socket whose path stands in the environment.
 *
 * `POST /<kind>` makes a database and answers its address; `POST /<kind>?empty` one without tables; `DELETE /<kind>/<name>`
 * drops it.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  // Several suites of one run have this set-up: the first provides for all of them, and vitest ends them together.
  if (process.env[SERVERS_VARIABLE] !== undefined) return undefined;
  await removeAbandoned();
  const directory = join(tmpdir(), `${PREFIX}${process.pid}-${await processIdentity(process.pid)}`);
  await mkdir(directory);
  // A server of root's runs as another user, who has to pass through.
  await chmod(directory, 0o711);
  const servers = new TestServers(directory);
  const door = await listen(servers, join(directory, 'door'));
  process.env[SERVERS_VARIABLE] = join(directory, 'door');
  return async () => {
    door.close();
    await servers.stop();
    await rm(directory, { recursive: true, force: true });
  };
}

const PREFIX = 'carcosa-databases-';

/** Ends what a run that was killed left. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const [, pid, identity] = /^carcosa-databases-(\d+)-(.+)$/.exec(name) ?? [];
    if (pid === undefined || (await processIdentity(Number(pid))) === identity) continue;
    for (const kind of await readdir(join(tmpdir(), name)))
      await stopLeftover(join(tmpdir(), name, kind, 'data'), silentLogger);
    await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function listen(servers: TestServers, path: string): Promise<Server> {
  const server = createServer((request, response) => {
    answer(servers, request).then(
      (body) => response.end(body),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.stack : String(error)),
    );
  });
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

async function answer(servers: TestServers, request: IncomingMessage): Promise<string> {
  const { pathname, search } = new URL(request.url ?? '/', 'http://door');
  const [, kind, name] = pathname.split('/');
  const server = await servers.get(kind as DatabaseKind);
  if (request.method === 'POST') return server.create(search === '?empty');
  await server.drop(name ?? '');
  return '';
}

class TestServers {
  readonly #directory: string;
  readonly #servers = new Map<DatabaseKind, Promise<TestServer>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  get(kind: DatabaseKind): Promise<TestServer> {
    const present = this.#servers.get(kind) ?? startTestServer(kind, join(this.#directory, kind));
    this.#servers.set(kind, present);
    return present;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#servers.values()].map(async (server) => (await server).stop()));
  }
}

const TEMPLATE = 'template_migrated';

/** Nothing here outlives the run, so nothing waits for the disk; each of several test files has a pool. */
const SETTINGS = { fsync: 'off', full_page_writes: 'off', max_connections: 200 };

/** As many managed servers have it: text is ordered as a language does it, not by bytes as in ours. */
const LANGUAGE_ORDER = ['--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en-US'];

async function startTestServer(kind: DatabaseKind, directory: string): Promise<TestServer> {
  const common = { directory, logger: silentLogger, clock: systemClock, settings: SETTINGS };
  if (kind === 'embedded') return TestServer.on(await startEmbeddedPostgres(common));
  const installation = await installationIn(DEBIAN_BINARIES, DEBIAN_MAJOR);
  if (installation === undefined) throw new Error(`There is no PostgreSQL in ${DEBIAN_BINARIES}`);
  return TestServer.on(await startEmbeddedPostgres({ ...common, installation, localeArguments: LANGUAGE_ORDER }));
}

/** A server with a migrated template, of which databases are copied. */
class TestServer {
  readonly #server: EmbeddedPostgres;
  readonly #pool: pg.Pool;
  #made = 0;

  private constructor(server: EmbeddedPostgres) {
    this.#server = server;
    this.#pool = createPool({ connectionString: server.superuserConnectionString, size: 2, logger: silentLogger });
  }

  static async on(server: EmbeddedPostgres): Promise<TestServer> {
    const made = new TestServer(server);
    await made.#pool.query(`create database ${TEMPLATE} owner carcosa`);
    const connectionString = made.#address(TEMPLATE);
    const pool = createPool({ connectionString, logger: silentLogger });
    await migrate({ pool, connectionString }, { logger: silentLogger });
    await pool.end();
    return made;
  }

  async create(isEmpty: boolean): Promise<string> {
    this.#made += 1;
    const name = `test_${this.#made}`;
    await this.#pool.query(`create database ${name} template ${isEmpty ? 'template1' : TEMPLATE} owner carcosa`);
    return this.#address(name);
  }

  async drop(name: string): Promise<void> {
    await this.#pool.query(`drop database if exists ${pg.escapeIdentifier(name)} with (force)`);
  }

  async stop(): Promise<void> {
    await this.#pool.end();
    await this.#server.stop();
  }

  #address(name: string): string {
    return this.#server.connectionString.replace('/carcosa?', `/${name}?`);
  }
}
