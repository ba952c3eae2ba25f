import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from '@carcosa/database';
import { readPostmasterFile, stopLeftover } from '@carcosa/database/testing';
import { silentLogger, systemClock } from '@carcosa/kernel';
import pg from 'pg';
import { afterAll, onTestFinished } from 'vitest';

const run = promisify(execFile);

export interface DirectoryOptions {
  /** Default: the system's temporary directory. */
  parent?: string;
  /** Its path beneath a directory of this test; default `postgres`. */
  name?: string;
  /** Whether a cluster is there already, as a server left it that was stopped; default true, which is faster. */
  hasCluster?: boolean;
}

/** A directory of this test; at its end the server there is stopped, whoever started it, and all is removed. */
export async function serverDirectory(options: DirectoryOptions = {}): Promise<string> {
  const { parent = tmpdir(), name = 'postgres', hasCluster = true } = options;
  const home = await temporaryHome(parent);
  const directory = join(home, name);
  onTestFinished(async () => {
    await stopLeftover(join(directory, 'data'), silentLogger);
    await rm(home, { recursive: true, force: true, maxRetries: 3 });
  });
  if (!hasCluster) return directory;
  stopped ??= makeStopped();
  await run('cp', ['-a', await stopped, directory]);
  return directory;
}

/** A directory with a cluster, that all tests of a file copy. */
let stopped: Promise<string> | undefined;

async function makeStopped(): Promise<string> {
  const directory = join(await temporaryHome(tmpdir()), 'postgres');
  const server = await startEmbeddedPostgres({ directory, logger: silentLogger, clock: systemClock });
  await server.stop();
  return directory;
}

afterAll(async () => {
  if (stopped !== undefined) await rm(dirname(await stopped), { recursive: true, force: true });
});

/** As the server makes its data directory for root, whose database runs as another user: those may pass through. */
async function temporaryHome(parent: string): Promise<string> {
  const home = await mkdtemp(join(parent, 'carcosa-embedded-'));
  await chmod(home, 0o711);
  return home;
}

/** Starts a server in this process; stopped at the end of the test. */
export async function startServer(
  directory: string,
  options: Partial<EmbeddedPostgresOptions> = {},
): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ directory, logger: silentLogger, clock: systemClock, ...options });
  onTestFinished(() => server.stop());
  return server;
}

/** Runs one statement on a connection of its own. */
export async function queryOnce(connectionString: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** The process id of the server that runs on a directory. */
export async function serverPid(directory: string): Promise<number> {
  const file = await readPostmasterFile(join(directory, 'data'));
  if (file === undefined) throw new Error(`No server runs on ${directory}`);
  return file.pid;
}

export interface Holder {
  readonly process: ChildProcess;
  /** What it says next, parsed. */
  next(): Promise<{ url: string; startedIn: number; code: string; message: string }>;
  /** Resolves with its exit code or the signal that ended it. */
  readonly ended: Promise<unknown>;
}

export interface HolderOptions {
  mode?: 'hold' | 'leave';
  /** Another Node, and another user as whom it runs. */
  node?: string;
  uid?: number;
}

/** Another process that supervises a server on `directory`; killed at the end of the test. */
export function spawnHolder(directory: string, options: HolderOptions = {}): Holder {
  const fixture = fileURLToPath(new URL('./fixtures/hold-server.ts', import.meta.url));
  const user = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
  const child = spawn(
    options.node ?? process.execPath,
    ['--conditions=source', '--disable-warning=ExperimentalWarning', fixture, directory, options.mode ?? 'hold'],
    { stdio: ['pipe', 'pipe', 'inherit'], detached: true, ...user },
  );
  const ended = once(child, 'exit').then(([code, signal]) => signal ?? code);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { process: child, ended, next: async () => JSON.parse((await lines.next()).value ?? '"ended"') };
}

/** Whether a process of that number runs. */
export async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return status !== '' && !status.slice(status.lastIndexOf(')')).startsWith(') Z');
}
