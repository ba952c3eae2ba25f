import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { isErrno } from './file-system.ts';
import { isOwnerAlive } from './journal-owner.ts';
import { decodeRecords, type JournalRecord } from './journal-record.ts';
import { settleFiles } from './settle-files.ts';
import { ownerOf } from './small-file-journal.ts';

export interface JournalPlace {
  /** Where the segments lie. */
  directory: string;
  /** The keys of records are paths below it. */
  objects: string;
  /** On the same file system, for files on their way. */
  staging: string;
}

export interface Recovery {
  /** Storage keys of the files that were missing or torn, and are whole again: some may have been deleted before, on purpose. */
  readonly written: string[];
  /** Ends when the journals that were left are gone. */
  readonly settled: Promise<void>;
}

/**
 * Makes whole what a process that died (or its machine) had acknowledged by its journal only. Journals of processes that run are left
 * alone. Doing it twice, or two processes at a time, changes nothing.
 * @param now milliseconds since the epoch
 */
export async function recoverJournals(place: JournalPlace, now: number): Promise<Recovery> {
  const written: string[] = [];
  const left: { file: string; keys: string[] }[] = [];
  for (const name of await readdir(place.directory).catch(nothing)) {
    const owner = ownerOf(name);
    const file = path.join(place.directory, name);
    const found = await stat(file).catch(nowhere);
    if (owner === null || !found) continue;
    const alive = await isOwnerAlive(owner, { changedAt: found.mtimeMs, now });
    if (alive === 'yes') continue;
    const records = [...decodeRecords(await readFile(file))];
    for (const record of records) if (await restore(place, record)) written.push(record.key);
    if (alive === 'no') left.push({ file, keys: records.map(({ key }) => key) });
  }
  return { written, settled: settleAll(place, left) };
}

async function settleAll(place: JournalPlace, left: readonly { file: string; keys: string[] }[]): Promise<void> {
  for (const { file, keys } of left) {
    await settleFiles(place.objects, keys);
    await rm(file, { force: true });
  }
}

/** Writes the file of a record unless it is there as it should be. @returns whether it was written */
async function restore({ objects, staging }: JournalPlace, { key, content }: JournalRecord): Promise<boolean> {
  const target = path.join(objects, key);
  const present = await readFile(target).catch(nowhere);
  if (present?.equals(content)) return false;
  await mkdir(path.dirname(target), { recursive: true, mode: 0o750 });
  const temporary = path.join(
    staging,
    `restored_${path
      .basename(key)
      .replaceAll(/[^A-Za-z0-9]/g, '')
      .slice(-60)}.0`,
  );
  const handle = await open(temporary, 'w', 0o640);
  try {
    await handle.writeFile(content);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(temporary, target);
  return true;
}

function nothing(error: unknown): string[] {
  if (isErrno(error, 'ENOENT')) return [];
  throw error;
}

function nowhere(error: unknown): null {
  if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null;
  throw error;
}
