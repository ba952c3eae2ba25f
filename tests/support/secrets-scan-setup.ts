import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { LOGS_VARIABLE } from './run-logs.ts';
import { problemOf, scanLogs } from './secrets-scan.ts';

/**
 * A global set-up of vitest: gathers what all servers of the run print, and when the last test has ended searches all of it for
 * secrets. Finding one fails the run, names file and line, and leaves the logs where they are.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  // Several suites of one run have this set-up: the first provides for all of them.
  if (process.env[LOGS_VARIABLE] !== undefined) return undefined;
  const folder = await mkdtemp(path.join(tmpdir(), 'carcosa-logs-'));
  process.env[LOGS_VARIABLE] = folder;
  return async () => {
    delete process.env[LOGS_VARIABLE];
    const scan = await scanLogs(folder);
    const { bytes, lines, logs, started, marked, handedOn } = scan;
    process.stdout.write(
      `Searched ${bytes} bytes in ${lines} lines of ${logs} logs (${started} servers) for ${marked} marked secrets and all forms of secrets; ${handedOn} lines have a link on purpose.\n`,
    );
    const problem = problemOf(scan);
    if (problem !== null) throw new Error(problem);
    await rm(folder, { recursive: true, force: true });
  };
}
