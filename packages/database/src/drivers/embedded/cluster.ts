import { access, lchown, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CarcosaError, randomToken, systemRandom } from '@carcosa/kernel';
import { hasCode } from '../system-error.ts';
import type { PostgresInstallation } from './installation.ts';
import { giveTree, type RunAs, runToEnd } from './run-as.ts';
import { settingArguments } from './settings.ts';

/** The role and the database of the application; not a superuser, so that an injected statement reaches no file. */
export const APPLICATION_NAME = 'carcosa';
export const SUPERUSER_NAME = 'postgres';

/** How initdb makes the default order of text. Ours is that of bytes: the same everywhere, and the fastest. */
export const BYTE_ORDER = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'] as const;

export interface ClusterOptions {
  /** The directory of the supervisor; the cluster is `data` within. */
  readonly directory: string;
  readonly installation: PostgresInstallation;
  readonly runAs: RunAs;
  readonly localeArguments: readonly string[];
}

export interface Cluster {
  readonly dataDirectory: string;
  /** Of both roles. Kept in the file `password`, which only the owner can read. */
  readonly password: string;
}

/**
 * The cluster in the directory, made at first use. It is made beside its place and moved there when it is complete and
 * synced, so that there is never half of one.
 *
 * @throws CarcosaError `configuration_invalid` when it is of another major version.
 */
export async function prepareCluster(options: ClusterOptions): Promise<Cluster> {
  const dataDirectory = join(options.directory, 'data');
  const passwordFile = join(options.directory, 'password');
  const version = await readIfPresent(join(dataDirectory, 'PG_VERSION'));
  if (version !== undefined) requireMajor(version, options);
  const known = await readIfPresent(passwordFile);
  const password = known ?? randomToken(systemRandom, 32);
  if (version !== undefined) {
    await giveTree(dataDirectory, options.runAs);
    if (known === undefined) await setPasswords(options, dataDirectory, password);
  } else {
    await createCluster(options, dataDirectory, password);
  }
  if (known === undefined) await writeDurably(passwordFile, password);
  return { dataDirectory, password };
}

function requireMajor(version: string, { installation, directory }: ClusterOptions): void {
  if (Number(version) === installation.major) return;
  throw new CarcosaError('configuration_invalid', {
    message: `The database in ${directory} was made by PostgreSQL ${version}, this Carcosa runs ${installation.major}: start the Carcosa that made it and move the data with pg_dump, or set CARCOSA_DATA_DIR to another directory.`,
  });
}

async function createCluster(options: ClusterOptions, dataDirectory: string, password: string): Promise<void> {
  if (await exists(dataDirectory)) {
    throw new CarcosaError('configuration_invalid', {
      message: `${dataDirectory} is there but holds no PostgreSQL cluster: move it away, or set CARCOSA_DATA_DIR to another directory.`,
    });
  }
  const { installation, runAs } = options;
  // A name of its own: the initdb of a process that was killed may still be writing to the last one.
  const unfinished = `${dataDirectory}.unfinished-${process.pid}`;
  const initdb = (...args: string[]) =>
    runToEnd(runAs, {
      file: installation.initdb,
      args: ['-D', unfinished, ...args],
      environment: installation.environment,
    });
  await removeUnfinished(options.directory);
  await mkdir(unfinished, { mode: 0o700 });
  if (runAs.owner !== undefined) await lchown(unfinished, runAs.owner.uid, runAs.owner.gid);
  await initdb(
    '-U',
    SUPERUSER_NAME,
    '-E',
    'UTF8',
    '-A',
    'trust',
    '--data-checksums',
    '--no-sync',
    ...options.localeArguments,
  );
  // The server has never run until here. Whoever reaches its socket must know the password; there is no other way in.
  await writeFile(join(unfinished, 'pg_hba.conf'), 'local all all scram-sha-256\n');
  await singleUser(options, unfinished, [
    `CREATE ROLE ${APPLICATION_NAME} LOGIN`,
    `ALTER DATABASE postgres RENAME TO ${APPLICATION_NAME}`,
    `ALTER DATABASE ${APPLICATION_NAME} OWNER TO ${APPLICATION_NAME}`,
    ...passwordStatements(password),
  ]);
  await initdb('--sync-only');
  await rename(unfinished, dataDirectory);
  await syncDirectory(dirname(dataDirectory));
}

async function removeUnfinished(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith('data.unfinished-'))
      await rm(join(directory, name), { recursive: true, force: true, maxRetries: 5 });
  }
}

const passwordStatements = (password: string): string[] =>
  [SUPERUSER_NAME, APPLICATION_NAME].map((role) => `ALTER ROLE ${role} PASSWORD '${password}'`);

function setPasswords(options: ClusterOptions, dataDirectory: string, password: string): Promise<void> {
  return singleUser(options, dataDirectory, passwordStatements(password));
}

/** Runs statements in a server that has no other user and listens nowhere: "single-user mode". */
function singleUser(options: ClusterOptions, dataDirectory: string, statements: readonly string[]): Promise<void> {
  const settings = settingArguments({
    exit_on_error: 'on',
    log_checkpoints: 'off',
    max_wal_senders: 0,
    wal_level: 'minimal',
  });
  return runToEnd(options.runAs, {
    file: options.installation.postgres,
    args: ['--single', '-D', dataDirectory, ...settings, 'template1'],
    environment: options.installation.environment,
    input: `${statements.join('\n')}\n`,
  });
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function writeDurably(path: string, content: string): Promise<void> {
  const temporary = `${path}.unfinished`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(`${content}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
