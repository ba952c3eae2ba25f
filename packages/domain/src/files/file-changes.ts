import { type File, pathProblem, splitPath } from '@carcosa/contracts';
import {
  changeFiles,
  copyFiles,
  type FileChange,
  findFiles,
  isUniqueViolation,
  purgeFiles,
  type Queryable,
  trashFiles,
} from '@carcosa/database';
import { CarcosaError, type Clock, type FileId, type IdGenerator, isId, type ProjectId, type Random } from '@carcosa/kernel';
import { newFileKey } from './file-key.ts';

/** What became of one item: the file as it is now (or was, before a purge), or why nothing happened. */
export type FileOutcome = File | CarcosaError;

export interface FileChangesParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  random: Random;
  /** Without a "/" at its end. */
  publicUrl: string;
}

/** A change of one file, with the id as the client sent it. */
export type WantedChange = Omit<FileChange, 'id' | 'folder' | 'name'> & { id: string };

/** How often a statement is repeated that another transaction took a path from. */
const PATH_ATTEMPTS = 5;

/**
 * Changes any number of files of a project in a few statements; one file is a list of one. Items do not depend on each other,
 * and the outcomes have their order.
 */
export class FileChanges {
  readonly #parts: FileChangesParts;

  constructor(parts: FileChangesParts) {
    this.#parts = parts;
  }

  /**
   * Moves, renames and edits live files, or takes files out of the trash. Items are applied together, again and again until no
   * further one succeeds: a path that one of them leaves is free for another.
   */
  async change(projectId: ProjectId, from: 'live' | 'trashed', wanted: readonly WantedChange[]): Promise<FileOutcome[]> {
    const { transaction, clock, publicUrl } = this.#parts;
    const done = new Map<number, File>();
    let left = knownPositions(wanted);
    while (left.length > 0) {
      const changes = left.map((position) => toChange(wanted[position] as WantedChange));
      const options = { projectId, from, now: clock.now(), publicUrl };
      const changed = await untilPathsHold(() => transaction((tx) => changeFiles(tx, changes, options)));
      if (changed.size === 0) break;
      for (const [index, file] of changed) done.set(left[index] as number, file);
      left = left.filter((position) => !done.has(position));
    }
    const found = await this.#find(projectId, left.map((position) => wanted[position]?.id as FileId));
    return wanted.map((item, position) => done.get(position) ?? unchangedOutcome(found.get(item.id), from, item));
  }

  /** Moves files to the trash; those that are there already stay as they are. */
  async trash(projectId: ProjectId, wanted: readonly string[]): Promise<FileOutcome[]> {
    const { transaction, clock, publicUrl } = this.#parts;
    const ids = distinctIds(wanted);
    const trashed = await transaction((tx) => trashFiles(tx, ids, { projectId, now: clock.now(), publicUrl }));
    const found = await this.#find(projectId, ids.filter((id) => !trashed.has(id)));
    return wanted.map((id) => {
      const file = trashed.get(id) ?? found.get(id);
      if (!file) return new CarcosaError('not_found');
      // Restored by somebody else in the same moment.
      return file.deletedAt === null ? new CarcosaError('conflict', { retryable: true }) : file;
    });
  }

  /** Removes files with all their versions, from the trash or not. */
  async purge(projectId: ProjectId, wanted: readonly string[]): Promise<FileOutcome[]> {
    const { transaction, clock, publicUrl } = this.#parts;
    const ids = distinctIds(wanted);
    const purged = await transaction((tx) => purgeFiles(tx, ids, { projectId, now: clock.now(), publicUrl }));
    return wanted.map((id) => purged.get(id) ?? new CarcosaError('not_found'));
  }

  /** Makes new files of the present content of others. */
  async copy(projectId: ProjectId, by: string, wanted: readonly { id: string; path: string }[]): Promise<FileOutcome[]> {
    const { transaction, clock, ids, random, publicUrl } = this.#parts;
    const newIds = wanted.map(() => ids.next('file'));
    const copies = knownPositions(wanted).map((position) => {
      const { id, path } = wanted[position] as { id: FileId; path: string };
      return { id, path, ...splitPath(path), newId: newIds[position] as FileId, newKey: newFileKey(random) };
    });
    const copied = await transaction((tx) => copyFiles(tx, copies, { projectId, by, now: clock.now(), publicUrl }));
    const left = copies.filter(({ newId }) => !copied.has(newId));
    const found = await this.#find(projectId, left.map(({ id }) => id));
    return wanted.map((item, position) => copied.get(newIds[position] as FileId) ?? unchangedOutcome(found.get(item.id), 'live', item));
  }

  #find(projectId: ProjectId, ids: readonly FileId[]): Promise<Map<string, File>> {
    return findFiles(this.#parts.db, projectId, ids, this.#parts.publicUrl);
  }
}

/** The file of an outcome. @throws CarcosaError what stood in its way */
export function fileOf(outcome: FileOutcome | undefined): File {
  if (outcome === undefined) throw new CarcosaError('not_found');
  if (outcome instanceof CarcosaError) throw outcome;
  return outcome;
}

export const inTrash = (): CarcosaError => new CarcosaError('conflict', { message: 'The file is in the trash; restore it first.' });

/** Positions of items whose ids can be ids of files: the others are not worth a question. */
function knownPositions(wanted: readonly { id: string }[]): number[] {
  return wanted.flatMap(({ id }, position) => (isId('file', id) ? [position] : []));
}

function distinctIds(wanted: readonly string[]): FileId[] {
  return [...new Set(wanted)].filter((id) => isId('file', id));
}

function toChange({ id, ...change }: WantedChange): FileChange {
  return { ...change, ...(change.path === undefined ? {} : splitPath(change.path)), id: id as FileId };
}

/** Why an item was left over, or the file when nothing was to be done: `file` is what is there now. */
function unchangedOutcome(file: File | undefined, from: 'live' | 'trashed', item: { path?: string | undefined; rename?: string | undefined }): FileOutcome {
  if (!file) return new CarcosaError('not_found');
  const isLive = file.deletedAt === null;
  if (from === 'trashed' && isLive) return file;
  if (from === 'live' && !isLive) return inTrash();
  // Only in the moment when somebody else trashes or restores it.
  if (from === 'live' && item.path === undefined && item.rename === undefined) return new CarcosaError('conflict', { retryable: true });
  const path = item.path ?? renamed(file.path, item.rename);
  const problem = pathProblem(path);
  if (problem) return new CarcosaError('invalid_path', { message: `The path is not allowed: ${problem}.` });
  return new CarcosaError('path_taken', { details: { path } });
}

function renamed(path: string, name: string | undefined): string {
  if (name === undefined) return path;
  const { folder } = splitPath(path);
  return folder === '' ? name : `${folder}/${name}`;
}

/** Repeats `work` while somebody else takes a path between its look and its write: the next look sees that it is taken. */
async function untilPathsHold<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= PATH_ATTEMPTS || !isUniqueViolation(error, 'files_path')) throw error;
    }
  }
}
