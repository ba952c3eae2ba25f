import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Bench } from './bench.ts';
import { freePort, ServerProcess } from './server-process.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'apps', 'server', 'dist', 'main.js');
/** Ids in one bulk request, as the interface allows. */
const BULK = 1000;

export type Answer<Data> = { readonly status: number; readonly data: Data; readonly headers: Headers };
export type StoredFile = {
  readonly id: string;
  readonly key: string;
  readonly size: number;
  readonly sha256: string | null;
};

/** Our server with its embedded database, started as a user starts it; talked to by HTTP only. */
export class Carcosa {
  readonly server: ServerProcess;
  readonly dataDirectory: string;
  readonly apiKey: string;
  readonly projectId: string;

  private constructor(server: ServerProcess, dataDirectory: string) {
    this.server = server;
    this.dataDirectory = dataDirectory;
    const local = JSON.parse(readFileSync(join(dataDirectory, 'local.json'), 'utf8')) as Record<string, string>;
    this.apiKey = local.apiKey ?? '';
    this.projectId = local.projectId ?? '';
  }

  /** Starts it on an empty data directory, or on the one that an earlier start left (`keepData`); a second one beside it needs a `name`. */
  static async start(bench: Bench, options: StartOptions = {}): Promise<Carcosa> {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run \`npm run build\` first`);
    const dataDirectory = join(bench.workspace.root, options.name ?? 'carcosa');
    if (!options.keepData) rmSync(dataDirectory, { recursive: true, force: true });
    const port = await freePort();
    const { nodeFlags, environment } = startConfig();
    const server = await ServerProcess.start({
      name: 'Carcosa',
      program: process.execPath,
      // As `npm start` runs it.
      args: [...nodeFlags.split(' '), MAIN],
      env: { ...environment, PORT: String(port), HOST: '127.0.0.1', CARCOSA_DATA_DIR: dataDirectory, ...options.env },
      port,
      logFile: bench.workspace.logFile(options.name ?? 'carcosa'),
      readyPath: '/ready',
      companions: () => databaseProcesses(dataDirectory),
    });
    bench.keep(server);
    return new Carcosa(server, dataDirectory);
  }

  get url(): string {
    return this.server.url;
  }

  get authorization(): Record<string, string> {
    return { Authorization: `Bearer ${this.apiKey}` };
  }

  /** One call of the interface. Throws with the answer's message when the status is not the expected one. */
  async call<Data>(method: string, path: string, expected: number, options: CallOptions = {}): Promise<Answer<Data>> {
    const json: Record<string, string> = options.json === undefined ? {} : { 'Content-Type': 'application/json' };
    const response = await fetch(new URL(path, this.url), {
      method,
      headers: { ...this.authorization, ...json, ...options.headers },
      ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }),
    });
    const text = await response.text();
    if (response.status !== expected)
      throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 300)}`);
    const data = text === '' ? undefined : (JSON.parse(text) as { data: Data }).data;
    return { status: response.status, data: data as Data, headers: response.headers };
  }

  /** Deletes files for good and has their bytes collected, so that rounds do not fill the disk. */
  async purge(ids: readonly string[]): Promise<void> {
    for (let first = 0; first < ids.length; first += BULK) {
      const items = ids.slice(first, first + BULK).map((id) => ({ id }));
      await this.call('POST', '/api/v1/files/bulk', 200, { json: { action: 'purge', items } });
    }
    await this.call('POST', '/api/v1/uploads/collect', 200);
  }
}

export type StartOptions = {
  readonly keepData?: boolean;
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
};

export type CallOptions = { readonly json?: unknown; readonly headers?: Readonly<Record<string, string>> };

/**
 * The embedded PostgreSQL of a data directory, found by PostgreSQL's own pid file: it keeps running under the system's
 * first process when its supervisor dies, so the process tree alone would not do.
 */
export function databaseProcesses(dataDirectory: string): number[] {
  const file = findPidFile(dataDirectory);
  if (file === null) return [];
  try {
    return [Number(readFileSync(file, 'utf8').split('\n')[0])];
  } catch {
    // Stopped between finding and reading.
    return [];
  }
}

/** How a client of PostgreSQL reaches the embedded one: its pid file names port and socket directory. */
export function databaseConnection(dataDirectory: string): {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
} {
  const file = findPidFile(dataDirectory);
  if (file === null) throw new Error(`no PostgreSQL runs in ${dataDirectory}`);
  const lines = readFileSync(file, 'utf8').split('\n');
  const password = readFileSync(join(dirname(dirname(file)), 'password'), 'utf8').trim();
  return { host: lines[4] ?? '', port: Number(lines[3]), user: 'carcosa', password, database: 'carcosa' };
}

function findPidFile(dataDirectory: string): string | null {
  const candidates = [dataDirectory, ...folders(dataDirectory), ...folders(dataDirectory).flatMap(folders)];
  return candidates.map((folder) => join(folder, 'postmaster.pid')).find((path) => existsSync(path)) ?? null;
}

function folders(path: string): string[] {
  if (!existsSync(path)) return [];
  const entries = readdirSync(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
}

/** How the server's package wants to be started. */
function startConfig(): { nodeFlags: string; environment: Record<string, string> } {
  const manifest = join(import.meta.dirname, '..', '..', 'apps', 'server', 'package.json');
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { config: ReturnType<typeof startConfig> }).config;
}
