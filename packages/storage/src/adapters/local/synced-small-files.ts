import { closeSync, fdatasyncSync, linkSync, openSync, renameSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import type { SmallFile } from './disk-worker-protocol.ts';
import { attemptEach, inFolder, type Stored, syncFolder, writeContent } from './small-files.ts';

/**
 * Each file by itself is whole and durable with its name, or refused. All are written before the first is synced, so that one commit of the file system's
 * journal serves all of them, and the folders are synced once.
 */
export function storeSynced(group: readonly SmallFile[]): Stored {
  const refused: Stored['refused'] = new Map();
  const folders = new Set<string>();
  const open = new Map<SmallFile, number>();
  const named: SmallFile[] = [];
  attemptEach(group, refused, (file) => {
    open.set(file, writeOpen(file, folders));
  });
  attemptEach(open.keys(), refused, (file) => {
    syncAndClose(open.get(file) as number);
    if (file.staged !== null) inFolder(file, folders, () => giveName(file.staged as string, file.target));
    folders.add(path.dirname(file.target));
    named.push(file);
  });
  const failure = syncFolders(folders);
  if (failure !== null) for (const file of named) refused.set(file, failure);
  return { stored: group.filter((file) => !refused.has(file)), refused };
}

/** Writes a file that is not there yet; its descriptor is still open. */
function writeOpen(file: SmallFile, folders: Set<string>): number {
  const { staged, target, content } = file;
  const make = () => openSync(staged ?? target, 'wx', 0o640);
  const fd = staged === null ? inFolder(file, folders, make) : make();
  try {
    writeContent(fd, content);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

function syncAndClose(fd: number): void {
  try {
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Gives the first failure, or null. */
function syncFolders(folders: Iterable<string>): unknown {
  let failure: unknown = null;
  for (const folder of folders) {
    try {
      syncFolder(folder);
    } catch (error) {
      failure ??= error;
    }
  }
  return failure;
}

/**
 * Gives the file its name, never in the place of another: a writer that slept through the end of its lease must not replace what
 * its successor has stored.
 */
function giveName(staged: string, target: string): void {
  try {
    linkSync(staged, target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // File systems without hard links have no such rename either.
    if (code !== 'EPERM' && code !== 'ENOTSUP') throw error;
    renameSync(staged, target);
    return;
  }
  unlinkSync(staged);
}
