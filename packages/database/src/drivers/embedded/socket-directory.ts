import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { giveTree, privateDirectory, type RunAs } from './run-as.ts';
import { SOCKET_PORT } from './settings.ts';

// The size of sun_path without the closing NUL: unix(7) and macOS' unix(4).
const PATH_LIMIT = process.platform === 'linux' ? 107 : 103;
const TEMPORARY_PREFIX = 'carcosa-pg-';

/**
 * An empty directory for the server's socket, that only the user of the server can enter: `run` in `directory`, or one in
 * the system's temporary directory where the path of a socket would grow too long for the system.
 */
export async function prepareSocketDirectory(directory: string, runAs: RunAs): Promise<string> {
  const preferred = join(directory, 'run');
  if (Buffer.byteLength(join(preferred, `.s.PGSQL.${SOCKET_PORT}`)) > PATH_LIMIT) {
    const temporary = await mkdtemp(join(tmpdir(), TEMPORARY_PREFIX));
    await giveTree(temporary, runAs);
    return temporary;
  }
  await privateDirectory(preferred, runAs);
  await emptySocketDirectory(preferred);
  return preferred;
}

/** Removes what a server that was killed left. Nothing may run on it. */
export async function emptySocketDirectory(path: string): Promise<void> {
  for (const name of await readdir(path)) await rm(join(path, name), { force: true });
}

/** Removes a socket directory, if it is a temporary one of ours. */
export async function removeTemporary(path: string): Promise<void> {
  const isTemporary = dirname(path) === tmpdir() && basename(path).startsWith(TEMPORARY_PREFIX);
  if (isTemporary) await rm(path, { recursive: true, force: true });
}
