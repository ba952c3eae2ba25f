import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { chmod, lchown, lstat, mkdir, readdir, readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, join } from 'node:path';
import { CarcosaError } from '@carcosa/kernel';
import type { PostgresInstallation } from './installation.ts';

interface UserId {
  readonly uid: number;
  readonly gid: number;
}

/** As which user PostgreSQL runs: it refuses to run as root, and initdb as a user without a name. */
export interface RunAs {
  readonly method: 'same user' | 'another user' | 'user namespace';
  /** To whom the files must belong; undefined: whoever makes them. */
  readonly owner: UserId | undefined;
  /** Starts a program so; the process id is that of the program itself. */
  spawn(file: string, args: readonly string[], options: SpawnOptions): ChildProcess;
}

// The environment of this process is none of PostgreSQL's business: PGDATA, LC_ALL and their like would change what it does.
const BASE_ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

/**
 * Finds a way that works here by trying it. As root:
 * 1. as the user `nobody`, which needs the rights to change user, and directories that others may enter;
 * 2. in a user namespace in which we appear as `nobody`, which works beneath a directory such as /root too but is mostly
 *    forbidden in containers. The files remain root's.
 *
 * @throws CarcosaError `configuration_invalid` when none works.
 */
export async function chooseRunAs(installation: PostgresInstallation, directory: string): Promise<RunAs> {
  const sameUser: RunAs = { method: 'same user', owner: undefined, spawn };
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && hasName()) return sameUser;
  const refusals: string[] = [];
  const nobody = await findNobody();
  if (nobody !== undefined) {
    // What lies within is private by its own modes; the directory itself must let the other user through.
    if (isRoot) await chmod(directory, 0o711);
    const candidates = isRoot ? [anotherUser(nobody), userNamespace(nobody)] : [userNamespace(nobody)];
    for (const candidate of candidates) {
      const refusal = await tryOut(candidate, installation, directory);
      if (refusal === undefined) return candidate;
      refusals.push(`As ${candidate.method}: ${refusal}`);
    }
  }
  const message = isRoot ? ROOT_MESSAGE : NAMELESS_MESSAGE;
  throw new CarcosaError('configuration_invalid', {
    message: refusals.length === 0 ? message : `${message} (${refusals.join('; ')})`,
  });
}

const NAMELESS_MESSAGE =
  'The embedded PostgreSQL needs a user with a name: add this user id to /etc/passwd, or set DATABASE_URL to a PostgreSQL of your own.';

const ROOT_MESSAGE =
  'PostgreSQL refuses to run as root, and could not be run as another user: run Carcosa as a normal user, put the checkout and CARCOSA_DATA_DIR where other users may enter (not beneath /root), or set DATABASE_URL.';

function anotherUser(user: UserId): RunAs {
  return {
    method: 'another user',
    owner: user,
    spawn: (file, args, options) => spawn(file, args, { ...options, ...user }),
  };
}

function userNamespace(user: UserId): RunAs {
  const map = ['--user', `--map-user=${user.uid}`, `--map-group=${user.gid}`, '--'];
  return {
    method: 'user namespace',
    owner: process.getuid && process.getgid ? { uid: process.getuid(), gid: process.getgid() } : undefined,
    // unshare(1) replaces itself by the program.
    spawn: (file, args, options) => spawn('unshare', [...map, file, ...args], options),
  };
}

function hasName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

async function findNobody(): Promise<UserId | undefined> {
  const passwords = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const [, uid, gid] = /^nobody:[^:]*:(-?\d+):(-?\d+):/m.exec(passwords) ?? [];
  // A spawned process takes its ids as 32-bit integers with a sign; macOS writes -2.
  return uid === undefined ? undefined : { uid: Number(uid) | 0, gid: Number(gid) | 0 };
}

/** Runs a program in the directory that way. @returns undefined when that works, else what was said. */
async function tryOut(
  runAs: RunAs,
  installation: PostgresInstallation,
  directory: string,
): Promise<string | undefined> {
  const args = ['-c', 'cd "$1" && exec "$0" --version', installation.postgres, directory];
  try {
    await runToEnd(runAs, { file: '/bin/sh', args, environment: installation.environment });
    return undefined;
  } catch (error) {
    return String(error instanceof Error && error.cause instanceof Error ? error.cause.message : error);
  }
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What the program reads from its standard input. */
  readonly input?: string;
}

/** The options with which every program of PostgreSQL is started. */
export function spawnOptions(environment: Readonly<Record<string, string>>): SpawnOptions {
  // The present directory may be one that the other user cannot enter.
  return { cwd: '/', env: { ...BASE_ENVIRONMENT, ...environment } };
}

/** Runs a program to its end. @throws CarcosaError `database_unavailable` with the last that it complained of when it fails. */
export function runToEnd(runAs: RunAs, command: Command): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = runAs.spawn(command.file, command.args, {
      ...spawnOptions(command.environment),
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-4000);
    });
    // A program that ends without reading its input says why by its exit code.
    child.stdin?.on('error', () => {});
    child.stdin?.end(command.input ?? '');
    child.once('error', (error) => reject(programFailed(command.file, error.message)));
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(programFailed(command.file, lastComplaint(complaint) ?? `it ended with code ${code}`));
    });
  });
}

/** @returns an error for a person: one line that says what to do. Its cause has the bare reason. */
export function programFailed(file: string, reason: string): CarcosaError {
  return new CarcosaError('database_unavailable', {
    message: `PostgreSQL's ${basename(file)} failed: ${reason} (if it cannot run on this system, set DATABASE_URL to a PostgreSQL of your own).`,
    retryable: false,
    cause: new Error(reason),
  });
}

/** The last line by which a program says why it ended, without the time and the like in front. */
export function lastComplaint(output: string): string | undefined {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const complaint = lines.findLast((line) => /\b(FATAL|PANIC|ERROR|error):/.test(line)) ?? lines.at(-1);
  return complaint?.replace(/^.*?\b(FATAL|PANIC|ERROR|error):\s*/, '').trim();
}

/** Gives a tree to the user as whom PostgreSQL runs, where it is not theirs; the root of the tree comes last. */
export async function giveTree(path: string, runAs: RunAs): Promise<void> {
  if (runAs.owner === undefined) return;
  const facts = await lstat(path);
  if (facts.uid === runAs.owner.uid) return;
  await changeOwner(path, runAs.owner, facts.isDirectory());
}

async function changeOwner(path: string, owner: UserId, isDirectory: boolean): Promise<void> {
  if (isDirectory) {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      await changeOwner(join(path, entry.name), owner, entry.isDirectory());
    }
  }
  // lchown: a link could point anywhere.
  await lchown(path, owner.uid, owner.gid);
}

/** A directory of PostgreSQL's own, private to the user as whom it runs. */
export async function privateDirectory(path: string, runAs: RunAs): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
  await giveTree(path, runAs);
}
