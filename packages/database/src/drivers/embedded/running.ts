import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { APPLICATION_NAME } from './cluster.ts';
import { isServerOf, readPostmasterFile } from './leftover.ts';
import { socketAddress } from './supervisor.ts';

/**
 * The address of the embedded server that another process runs on `directory` at present, for a command that only looks.
 * Whoever owns the directory may read the password there. Undefined when none runs.
 */
export async function findRunningPostgres(directory: string): Promise<string | undefined> {
  const data = join(directory, 'data');
  const file = await readPostmasterFile(data);
  if (!file?.isReady || !(await isServerOf(file.pid, data))) return undefined;
  const password = (await readFile(join(directory, 'password'), 'utf8')).trim();
  return socketAddress(APPLICATION_NAME, { socketDirectory: file.socketDirectory, password });
}
