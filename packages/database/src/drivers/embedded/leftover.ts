import { execFile } from 'node:child_process';
import { readFile, readlink, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CarcosaError, type Logger } from '@carcosa/kernel';
import { processIdentity } from '@carcosa/kernel/node';
import { hasCode } from '../system-error.ts';

const run = promisify(execFile);
const POLL_INTERVAL = 10;

/** What a server writes about itself to `postmaster.pid` in its data directory, one fact a line. */
export interface PostmasterFile {
  readonly pid: number;
  /** Where its socket is; empty until it has one. */
  readonly socketDirectory: string;
  readonly isReady: boolean;
}

/** @returns undefined when there is no such file, or it is not yet whole. */
export async function readPostmasterFile(dataDirectory: string): Promise<PostmasterFile | undefined> {
  try {
    const lines = (await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8')).split('\n');
    const pid = Number(lines[0]);
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    return { pid, socketDirectory: lines[4]?.trim() ?? '', isReady: lines[7]?.trim() === 'ready' };
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** What is left of a server whose supervisor was killed. */
export interface Leftover {
  /**
   * The number in the file of a server that is no more. By now it may be that of another process, or of a zombie whose
   * parent does not ask for it: the next server must not take either for its predecessor.
   */
  readonly mistakenPid: number | undefined;
  /** Where its socket was. */
  readonly socketDirectory: string | undefined;
}

/**
 * Stops the server that still runs on this directory, if one does. The caller holds the claim on the directory, so it is
 * nobody's.
 * @throws CarcosaError `database_unavailable` when it does not stop.
 */
export async function stopLeftover(dataDirectory: string, logger: Logger): Promise<Leftover> {
  const file = await readPostmasterFile(dataDirectory);
  if (file === undefined) return { mistakenPid: undefined, socketDirectory: undefined };
  const isRunning = await isServerOf(file.pid, dataDirectory);
  if (isRunning) {
    logger.info({ pid: file.pid }, 'Stopping the PostgreSQL that an earlier Carcosa left running');
    await stopProcess(file.pid);
  }
  return { mistakenPid: isRunning ? undefined : file.pid, socketDirectory: file.socketDirectory };
}

/** Whether that process runs, is a PostgreSQL server and works on that very directory. */
export async function isServerOf(pid: number, dataDirectory: string): Promise<boolean> {
  if ((await processIdentity(pid)) === undefined) return false;
  try {
    if (process.platform !== 'linux') return await commandNames(pid, dataDirectory);
    // A server makes its data directory its working directory. After an update its program may be gone: "… (deleted)".
    const program = basename((await readlink(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, ''));
    const [present, expected] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(dataDirectory)]);
    return program === 'postgres' && present.dev === expected.dev && present.ino === expected.ino;
  } catch {
    return false;
  }
}

async function commandNames(pid: number, dataDirectory: string): Promise<boolean> {
  const { stdout } = await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { env: { PATH: '/usr/bin:/bin' } });
  return stdout.includes('postgres') && stdout.includes(` -D ${dataDirectory} `);
}

/**
 * Milliseconds that a server gets for each way of asking it to stop; each later one is harsher (PostgreSQL's manual, 18.5).
 * The first lets clients that have just said farewell go: a session that is ended meanwhile is an error to its client.
 */
const STOP_STEPS = [
  ['SIGTERM', 300],
  ['SIGINT', 30_000],
  ['SIGQUIT', 10_000],
] as const;

/**
 * Stops a server: at first "smart" (when the last client has gone), after 0.3 s "fast" (sessions end, everything is written
 * out), after 30 s more "immediate" (the next start recovers from the log). Nothing acknowledged is lost by any.
 * @throws CarcosaError `database_unavailable` when it still runs.
 */
export async function stopProcess(pid: number): Promise<void> {
  const identity = await processIdentity(pid);
  if (identity === undefined) return;
  for (const [signal, limit] of STOP_STEPS) {
    if (!sendSignal(pid, signal)) return;
    for (let waited = 0; waited < limit; waited += POLL_INTERVAL) {
      if ((await processIdentity(pid)) !== identity) return;
      await delay(POLL_INTERVAL);
    }
  }
  throw new CarcosaError('database_unavailable', {
    message: `PostgreSQL (process ${pid}) does not stop: end it, then start again.`,
    retryable: false,
  });
}

function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}
