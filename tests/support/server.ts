import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Api, createApi, expectData } from './api.ts';
import { stopOrphanedDatabases } from './embedded-database.ts';
import { freshDatabase } from './postgres.ts';
import { type Exit, residentBytes, type ServerProcess, spawnServer } from './process.ts';
import { keepLog, markSecretFile, markSecretsOf } from './run-logs.ts';

export interface StartOptions {
  env?: Record<string, string | undefined>;
  /** Default: a new one below the system's temporary folder, removed by `stop`. */
  dataDir?: string;
  /** 0: any free one. */
  port?: number;
  /** Keeps the limits by address, which one machine with all the callers of a test would meet at once; default false. */
  limitsAddresses?: boolean;
}

/** What the server writes into `<data dir>/local.json` at its first start. */
export interface LocalJson {
  url: string;
  projectId: string;
  apiKey: string;
  uploadthingToken?: string;
}

/** A Carcosa of its own: process, data directory, database. */
export interface Server {
  /** Without a slash at its end. */
  readonly url: string;
  /** Where the process itself listens; differs from `url` only behind a CARCOSA_PUBLIC_URL. */
  readonly directUrl: string;
  readonly apiKey: string;
  readonly projectId: string;
  readonly dataDir: string;
  /** What the process was started with, for a test that starts another one on the same data. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** All output since the first start, restarts included. */
  readonly logs: string;
  readonly running: boolean;
  /** Calls a route below `/api/v1` with the local key; see {@link Api}. */
  readonly api: Api;
  /** Any other address of the server, without a key unless `headers` has one; redirects are not followed. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** Sends `signal` and waits until the process has ended. */
  kill(signal: NodeJS.Signals): Promise<Exit>;
  /** Starts again on the same port and data directory; a server that still runs is stopped first, by `signal`. */
  restart(options?: { signal?: NodeJS.Signals; env?: Record<string, string | undefined> }): Promise<void>;
  /** Resident memory of the server's process in bytes. */
  rss(): number;
  /** SIGTERM, then removes what `startServer` made. Idempotent. Rejects when the log tells of a fault that nobody handled. */
  stop(): Promise<Exit>;
}

/** A first start makes the database's directory; two busy cores can take their time over it. */
const READY_WITHIN_MS = 60_000;

/** Starts a server and waits until it is ready. The caller must `stop` it. */
export async function startServer(options: StartOptions = {}): Promise<Server> {
  const home = options.dataDir ? undefined : await makeHome();
  const dataDir = options.dataDir ?? path.join(home as string, 'data');
  const database = await freshDatabase(options.env);
  const env: Record<string, string | undefined> = {
    HOST: '127.0.0.1',
    PORT: String(options.port ?? 0),
    CARCOSA_DATA_DIR: dataDir,
    ...(database ? { DATABASE_URL: database.url } : {}),
    ...options.env,
  };
  let child: ServerProcess = spawnServer(env);
  let earlierLogs = '';
  const cleanUp = async (): Promise<void> => {
    await stopOrphanedDatabases(dataDir);
    keepLog(path.join(dataDir, 'database', 'postgresql.log'));
    await database?.drop();
    if (home) await rm(home, { recursive: true, force: true });
  };

  let url: string;
  let local: LocalJson;
  try {
    url = await child.ready(READY_WITHIN_MS);
    const text = await readFile(path.join(dataDir, 'local.json'), 'utf8');
    markSecretsOf(text);
    markSecretFile('root secret', path.join(dataDir, 'secret'));
    markSecretFile('password of the database', path.join(dataDir, 'database', 'password'));
    local = JSON.parse(text) as LocalJson;
    if (!options.limitsAddresses && env.CARCOSA_ROLES === undefined) await liftAddressLimits(url, local.apiKey);
  } catch (error) {
    child.signal('SIGKILL');
    await child.exited;
    await cleanUp();
    throw error;
  }
  const api = createApi(() => ({ url: env.CARCOSA_PUBLIC_URL ?? url, apiKey: local.apiKey }));
  const kill = async (signal: NodeJS.Signals): Promise<Exit> => {
    if (child.running) child.signal(signal);
    return child.exited;
  };
  let stopped: Promise<Exit> | undefined;

  return {
    get url() {
      return env.CARCOSA_PUBLIC_URL ?? url;
    },
    get directUrl() {
      return url;
    },
    apiKey: local.apiKey,
    projectId: local.projectId,
    dataDir,
    env,
    get pid() {
      return child.pid;
    },
    get logs() {
      return earlierLogs + child.logs;
    },
    get running() {
      return child.running;
    },
    api,
    request: (address, init) => fetch(new URL(address, url), { redirect: 'manual', ...init }),
    kill,
    restart: async (again = {}) => {
      await kill(again.signal ?? 'SIGTERM');
      earlierLogs += child.logs;
      // The same port: clients hold addresses of it.
      Object.assign(env, again.env, { PORT: new URL(url).port });
      child = spawnServer(env);
      await child.ready(READY_WITHIN_MS);
    },
    rss: () => residentBytes(child.pid),
    stop: () => {
      stopped ??= kill('SIGTERM').then(async (exit) => {
        await cleanUp();
        assertNoFaults(earlierLogs + child.logs);
        return exit;
      });
      return stopped;
    },
  };
}

async function liftAddressLimits(url: string, apiKey: string): Promise<void> {
  const api = createApi(() => ({ url, apiKey }));
  const lifted = { login: null, registration: null, unauthenticated: null };
  expectData(await api('PATCH', '/rate-limits', { json: lifted }));
}

/** The server survives such faults; a test does not. */
function assertNoFaults(logs: string): void {
  const fault = logs.split('\n').find((line) => line.includes('that nobody handled'));
  if (fault !== undefined) throw new Error(`the server met a fault of its own: ${fault}`);
}

/** A folder for one server; open to other users, since a database server refuses to run as root. */
export async function makeHome(): Promise<string> {
  const home = await mkdtemp(path.join(tmpdir(), 'carcosa-test-'));
  await chmod(home, 0o755);
  return home;
}

/** The permission bits of a file, e.g. `0o600`. */
export const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;
