import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { until } from './clock.ts';

/**
 * Stops database servers that a killed Carcosa left running in `dataDir`, by the process ids in their own pid files.
 * The next start of Carcosa would do it; a test that never starts again has to.
 */
export async function stopOrphanedDatabases(dataDir: string): Promise<void> {
  for (const folder of await databaseFolders(dataDir)) {
    const pid = Number((await readFile(path.join(folder, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0]);
    if (!pid || !(await isPostgres(pid))) continue;
    try {
      process.kill(pid, 'SIGQUIT');
    } catch {
      continue;
    }
    await until(async () => !(await isPostgres(pid)), { what: `the end of database server ${pid}` });
  }
}

/** The folders in `dataDir`, at most three levels down, that hold a PostgreSQL cluster. */
export async function databaseFolders(dataDir: string, depth = 3): Promise<string[]> {
  const entries = await readdir(dataDir, { withFileTypes: true }).catch(() => []);
  if (entries.some((entry) => entry.name === 'PG_VERSION')) return [dataDir];
  if (depth === 0) return [];
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => path.join(dataDir, entry.name));
  return (await Promise.all(folders.map((folder) => databaseFolders(folder, depth - 1)))).flat();
}

async function isPostgres(pid: number): Promise<boolean> {
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  return name.startsWith('postgres');
}
