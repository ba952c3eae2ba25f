import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CarcosaError } from '@carcosa/kernel';
import { processIdentity } from '@carcosa/kernel/node';
import { hasCode } from '../system-error.ts';

/** The right of this process, and of no other, to run a server on a directory. It ends with the process. */
export interface DirectoryClaim {
  release(): Promise<void>;
}

const CLAIM = /^claim-(\d+)-([A-Za-z0-9.]+)$/;
const ATTEMPTS = 5;

/**
 * Claims `directory` by a file that names this very run of this process. Each claimant writes its own file before it looks
 * for others, so of two that start together at least one sees the other and withdraws; and since a name is never used
 * twice, a file that a killed process left can be removed without a race against its successor.
 *
 * @throws CarcosaError `database_unavailable` when a process that runs holds the directory.
 */
export async function claimDirectory(directory: string): Promise<DirectoryClaim> {
  const identity = await processIdentity(process.pid);
  const own = `claim-${process.pid}-${identity}`;
  for (let attempt = 1; ; attempt++) {
    await writeClaim(directory, own);
    const holder = await findOther(directory, own);
    if (holder === undefined) return { release: () => rm(join(directory, own), { force: true }) };
    await rm(join(directory, own), { force: true });
    if (attempt === ATTEMPTS) throw inUse(directory, holder);
    // Two that met and both withdrew must not meet again: their numbers differ, so do their pauses.
    await delay(20 + ((process.pid * attempt) % 7) * 10);
  }
}

async function writeClaim(directory: string, name: string): Promise<void> {
  try {
    await (await open(join(directory, name), 'wx', 0o600)).close();
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw inUse(directory, process.pid);
    throw error;
  }
}

/** The number of another process that runs and has a claim. Claims of processes that ended are removed. */
async function findOther(directory: string, own: string): Promise<number | undefined> {
  for (const name of await readdir(directory)) {
    const [, pid, identity] = CLAIM.exec(name) ?? [];
    if (pid === undefined || name === own) continue;
    if ((await processIdentity(Number(pid))) === identity) return Number(pid);
    await rm(join(directory, name), { force: true });
  }
  return undefined;
}

function inUse(directory: string, pid: number): CarcosaError {
  const who = pid === process.pid ? 'this process' : `another Carcosa (process ${pid})`;
  return new CarcosaError('database_unavailable', {
    message: `The database in ${directory} is in use by ${who}: stop it first, or set CARCOSA_DATA_DIR to another directory.`,
    retryable: false,
  });
}
