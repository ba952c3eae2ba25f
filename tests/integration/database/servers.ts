import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from '@carcosa/database';
import { silentLogger, systemClock } from '@carcosa/kernel';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import { readPostmasterFile, stopLeftover } from '../../../packages/database/src/drivers/embedded/leftover.ts';

/** A directory of this test; at its end the server there is stopped, whoever started it, and all is removed. */
export async function serverDirectory(parent = tmpdir()): Promise<string> {
  const directory = await mkdtemp(join(parent, 'carcosa-embedded-'));
  // As the server makes its data directory for root, whose database runs as another user.
  await chmod(directory, 0o711);
  onTestFinished(async () => {
    await stopLeftover(join(directory, 'postgres/data'), silentLogger);
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  });
  return join(directory, 'postgres');
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
