import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from './paths.mjs';
import { isAlive } from './processes.mjs';

const FOLDER = join(CACHE, 'running');

/** Says, for as long as this process lives, that it runs from the node_modules of this checkout. */
export function registerAsRunning() {
  const file = join(FOLDER, String(process.pid));
  try {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, '');
    process.once('exit', () => rmSync(file, { force: true }));
  } catch {
    // A checkout that can't be written can't be reinstalled under us either.
  }
}

/** The ids of other live processes that were started by these scripts from this checkout. */
export function othersRunning() {
  let names = [];
  try {
    names = readdirSync(FOLDER);
  } catch {
    return [];
  }
  // Ids are used again after a crash or a restart of the machine: look at what the process is.
  const isOurs = (pid) => isAlive(pid) && /scripts[/\\]\w+\.mjs/.test(commandOf(pid));
  const pids = names.map(Number).filter((pid) => pid !== process.pid);
  for (const pid of pids.filter((each) => !isOurs(each))) rmSync(join(FOLDER, String(pid)), { force: true });
  return pids.filter(isOurs);
}

function commandOf(pid) {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8' });
  } catch {
    return '';
  }
}
