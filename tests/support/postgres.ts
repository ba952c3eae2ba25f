import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { until } from './clock.ts';

const run = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';

/** A PostgreSQL server of the system's binaries, in a folder of its own, on a free port of the loopback. */
export interface Postgres {
  /** Of a database that is there and empty. */
  readonly url: string;
  /** The server's major version, e.g. 15. */
  readonly version: number;
  createDatabase(): Promise<string>;
  /** `immediate` is what a crash looks like. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  start(): Promise<void>;
  /** Stops it and removes its folder. */
  remove(): Promise<void>;
}

/** The folder of the newest PostgreSQL 15 or later that the system has, or null. */
export function postgresBinaries(): string | null {
  const versions = existsSync(DEBIAN)
    ? readdirSync(DEBIAN)
        .map(Number)
        .filter((version) => version >= 15)
    : [];
  const newest = versions.sort((a, b) => b - a)[0];
  return newest === undefined ? null : path.join(DEBIAN, String(newest), 'bin');
}

export async function startPostgres(): Promise<Postgres> {
  const bin = postgresBinaries();
  if (!bin) throw new Error('no PostgreSQL 15 or later below /usr/lib/postgresql: apt-get install postgresql');
  const owner = await databaseUser();
  const home = await mkdtemp(path.join(tmpdir(), 'carcosa-postgres-'));
  const data = path.join(home, 'data');
  await mkdir(data, { mode: 0o700 });
  await chmod(home, 0o755);
  if (owner) await Promise.all([home, data].map((folder) => chown(folder, owner.uid, owner.gid)));
  await run(
    path.join(bin, 'initdb'),
    ['-D', data, '-U', 'carcosa', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'],
    owner ?? {},
  );
  const port = await freePort();
  const url = (database: string): string => `postgres://carcosa@127.0.0.1:${port}/${database}`;
  let exited: Promise<void> = Promise.resolve();
  let pid: number | undefined;

  const start = async (): Promise<void> => {
    const args = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', home, '-c', 'max_connections=60'];
    const child = spawn(path.join(bin, 'postgres'), args, { stdio: 'ignore', ...owner });
    pid = child.pid;
    exited = new Promise((resolve) => child.once('close', () => resolve()));
    await until(
      () =>
        run(path.join(bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)]).then(
          () => true,
          () => false,
        ),
      {
        what: 'PostgreSQL',
        within: 30_000,
      },
    );
  };
  const stop = async (mode: 'fast' | 'immediate' = 'fast'): Promise<void> => {
    if (pid !== undefined) process.kill(pid, mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    pid = undefined;
    await exited;
  };
  const createDatabase = async (): Promise<string> => {
    const name = `carcosa_${randomBytes(6).toString('hex')}`;
    await run(path.join(bin, 'createdb'), ['-h', '127.0.0.1', '-p', String(port), '-U', 'carcosa', name]);
    return url(name);
  };
  await start();
  return {
    url: await createDatabase(),
    version: Number(path.basename(path.dirname(bin))),
    createDatabase,
    stop,
    start,
    remove: async () => {
      await stop('immediate').catch(() => {});
      await rm(home, { recursive: true, force: true });
    },
  };
}

/**
 * With `CARCOSA_TEST_POSTGRES=1` every server gets the system's PostgreSQL in place of the embedded one; a test that names a
 * `DATABASE_URL` itself keeps it.
 */
export async function freshDatabase(
  env: Record<string, string | undefined> = {},
): Promise<{ url: string; drop(): Promise<void> } | null> {
  if (process.env.CARCOSA_TEST_POSTGRES !== '1' || 'DATABASE_URL' in env) return null;
  const server = await startPostgres();
  return { url: server.url, drop: () => server.remove() };
}

/** PostgreSQL refuses to run as root: then its own user's ids, else null for "as we are". */
async function databaseUser(): Promise<{ uid: number; gid: number } | null> {
  if (process.getuid?.() !== 0) return null;
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)),
  );
  return { uid: uid as number, gid: gid as number };
}

/** A port of the loopback that nothing listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject).listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
