import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive } from './processes.mjs';
import { KnownFailure, say } from './say.mjs';

/** A lock file without a process id in it is being written; after this long its writer has died. */
const WRITTEN_WITHIN_MS = 5_000;

/**
 * Runs `work` while no other process does so under the same lock file. The file holds the id of its owner; the lock of a process
 * that is gone is taken over. Says once whom it waits for.
 */
export async function withLock(file, what, work) {
  try {
    mkdirSync(dirname(file), { recursive: true });
  } catch (error) {
    throw new KnownFailure(
      `${dirname(file)} can not be made (${error.code}): this checkout has to be writable for ${what}.`,
    );
  }
  let said = false;
  while (!tryLock(file)) {
    if (breakIfAbandoned(file)) continue;
    const owner = ownerOf(file);
    if (!said && owner && owner !== process.pid) {
      say(`Waiting for process ${owner}, which is ${what} in this checkout…`);
      said = true;
    }
    await pause(200);
  }
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

function tryLock(file) {
  try {
    const handle = openSync(file, 'wx');
    writeSync(handle, String(process.pid));
    closeSync(handle);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes the lock of a dead process. A second file serialises this, so that nobody removes the lock of the next owner. */
function breakIfAbandoned(file) {
  if (!isAbandoned(file)) return false;
  const breaker = `${file}.break`;
  if (!tryLock(breaker)) {
    if (isAbandoned(breaker)) rmSync(breaker, { force: true });
    return false;
  }
  if (isAbandoned(file)) rmSync(file, { force: true });
  rmSync(breaker, { force: true });
  return true;
}

function isAbandoned(file) {
  const owner = ownerOf(file);
  if (owner !== null) return !isAlive(owner);
  try {
    return Date.now() - statSync(file).mtimeMs > WRITTEN_WITHIN_MS;
  } catch {
    return false;
  }
}

/** The process id in the lock file; null when there is none (any more, or yet). */
function ownerOf(file) {
  try {
    return Number(readFileSync(file, 'utf8')) || null;
  } catch {
    return null;
  }
}
