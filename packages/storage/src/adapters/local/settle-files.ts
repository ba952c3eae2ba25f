import { closeSync, fdatasync, fsync, openSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { isErrno } from './file-system.ts';

const syncData = promisify(fdatasync);
const syncEntries = promisify(fsync);
/** Files that are synced at the same time: they share transactions of the file system. */
const AT_ONCE = 4;

/**
 * Puts files, their names, and the folders up to `objects` on stable storage, by the system's threads. What is not there was deleted,
 * and counts as done.
 * @param keys their paths below `objects`
 */
export async function settleFiles(objects: string, keys: readonly string[]): Promise<void> {
  const files = keys.map((key) => path.join(objects, key));
  await each(files, (file) => synced(file, syncData));
  await each([...foldersOf(objects, files)], (folder) => synced(folder, syncEntries));
}

/** Every folder that holds a file, and those above, the lowest first. */
function foldersOf(objects: string, files: readonly string[]): Set<string> {
  const folders = new Set<string>();
  for (const file of files) {
    for (let folder = path.dirname(file); !folders.has(folder); folder = path.dirname(folder)) {
      folders.add(folder);
      if (folder === objects) break;
    }
  }
  return folders;
}

async function each(items: readonly string[], work: (item: string) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await work(items[next++] as string);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function synced(file: string, sync: (fd: number) => Promise<void>): Promise<void> {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return;
    throw error;
  }
  try {
    await sync(fd);
  } finally {
    closeSync(fd);
  }
}
