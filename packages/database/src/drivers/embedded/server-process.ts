import { once } from 'node:events';
import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { CarcosaError } from '@carcosa/kernel';
import type { PostgresInstallation } from './installation.ts';
import { readPostmasterFile, stopProcess } from './leftover.ts';
import { lastComplaint, programFailed, type RunAs, spawnOptions } from './run-as.ts';
import { settingArguments } from './settings.ts';

export interface ServerOptions {
  readonly installation: PostgresInstallation;
  readonly runAs: RunAs;
  readonly dataDirectory: string;
  readonly logFile: string;
  readonly settings: Readonly<Record<string, string | number>>;
  /** A process that the server must not take for another server on this directory; see {@link stopLeftover}. */
  readonly mistakenPid: number | undefined;
  /** Ends a start that is not wanted any more. */
  readonly signal: AbortSignal;
}

/** A server that accepts connections. */
export interface ServerProcess {
  readonly pid: number;
  /** Resolves when it has ended, with its exit code or the signal that ended it. */
  readonly ended: Promise<string>;
}

const READY_POLL = 5;
// After a crash the server reads its log again, which is at most max_wal_size and takes seconds; a slow disk takes longer.
const READY_LIMIT = 300_000;
const LOG_LIMIT = 10 * 1024 * 1024;

/**
 * Starts a server and waits until it accepts connections. It has a session of its own, so that Ctrl-C in a terminal stops
 * Carcosa first and the server when Carcosa says so; and it does not keep this process alive.
 *
 * @throws CarcosaError `database_unavailable` with the reason that the server gave.
 */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const log = await openLog(options.logFile);
  try {
    const start = (await log.stat()).size;
    const server = await spawnServer(options, log);
    const failure = await untilReady(server, options);
    if (failure === undefined) return server;
    throw new CarcosaError('database_unavailable', {
      message: `PostgreSQL did not start: ${(await reasonIn(options.logFile, start)) ?? failure} (see ${options.logFile}).`,
    });
  } finally {
    await log.close();
  }
}

/** Opens the log to append; one that has grown beyond 10 MiB is set aside as `….1`. */
async function openLog(path: string): Promise<FileHandle> {
  const size = await stat(path).then(
    (facts) => facts.size,
    () => 0,
  );
  if (size > LOG_LIMIT) await rename(path, `${path}.1`);
  return open(path, 'a', 0o600);
}

async function spawnServer(options: ServerOptions, log: FileHandle): Promise<ServerProcess> {
  const { installation, mistakenPid } = options;
  // As pg_ctl does: a server takes this number in a lock file for one of its own ancestors.
  const mistaken: Record<string, string> = mistakenPid === undefined ? {} : { PG_GRANDPARENT_PID: String(mistakenPid) };
  const child = options.runAs.spawn(
    installation.postgres,
    ['-D', options.dataDirectory, ...settingArguments(options.settings)],
    {
      ...spawnOptions({ ...installation.environment, ...mistaken }),
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    },
  );
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  await once(child, 'spawn').catch((error: Error) => {
    throw programFailed(installation.postgres, error.message);
  });
  child.unref();
  return { pid: child.pid as number, ended };
}

/** @returns undefined when it is ready, else why not. */
async function untilReady(
  server: ServerProcess,
  { dataDirectory, signal }: ServerOptions,
): Promise<string | undefined> {
  let ending: string | undefined;
  void server.ended.then((how) => {
    ending = how;
  });
  for (let waited = 0; waited < READY_LIMIT && !signal.aborted; waited += READY_POLL) {
    if (ending !== undefined) return `it ended with ${ending}`;
    const file = await readPostmasterFile(dataDirectory);
    if (file?.pid === server.pid && file.isReady) return undefined;
    await delay(READY_POLL);
  }
  await stopProcess(server.pid);
  return signal.aborted ? 'it was stopped meanwhile' : `it was not ready after ${READY_LIMIT / 1000} s`;
}

/** The last complaint in the log from `start` on, without its time. */
async function reasonIn(path: string, start: number): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(16_384), 0, 16_384, start);
    return lastComplaint(buffer.toString('utf8', 0, bytesRead));
  } finally {
    await file.close();
  }
}
