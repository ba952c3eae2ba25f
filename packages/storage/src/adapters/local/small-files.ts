import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { giveBack } from '../../give-back.ts';
import type { SmallFile } from './disk-worker-protocol.ts';

// What storing small files takes, with a journal or without. All of it blocks: it runs in the disk worker.

export interface Stored {
  stored: SmallFile[];
  /** With what the file system said. */
  refused: Map<SmallFile, unknown>;
}

/** Does `work` for each; those for which it throws are refused. */
export function attemptEach(
  files: Iterable<SmallFile>,
  refused: Stored['refused'],
  work: (file: SmallFile) => void,
): void {
  for (const file of files) {
    try {
      work(file);
    } catch (error) {
      refused.set(file, error);
    }
  }
}

/** Writes all of `content`, and gives its memory back. */
export function writeContent(fd: number, content: Uint8Array): void {
  for (let done = 0; done < content.length; ) done += writeSync(fd, content, done, content.length - done, done);
  giveBack(content);
}

/** Does `work`, and once more with the target's folder made where that was missing; `made` gets the folders that have a new entry. */
export function inFolder<Result>({ target }: SmallFile, made: Set<string>, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const folder = path.dirname(target);
    const first = mkdirSync(folder, { recursive: true, mode: 0o750 });
    // Each new folder is an entry of the one above.
    for (let each = folder; first !== undefined; each = path.dirname(each)) {
      made.add(path.dirname(each));
      if (each === first) break;
    }
    return work();
  }
}

export function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
