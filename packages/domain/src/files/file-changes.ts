import { type File, pathProblem, splitPath } from '@carcosa/contracts';
import {
  changeFiles,
  copyFiles,
  type FileChange,
  type FileCopy,
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
  /**
   * Told the keys of files whose change is committed: this process may remember what they were. The announcement that all
   * processes hear can be a moment behind the answer.
   */
  onChange?: ((keys: string[]) => void) | undefined;
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
    const outcomes = new Map<number, FileOutcome>();
    let left = knownPositions(wanted);
    while (left.length > 0) {
      const round = left;
      const changes = round.map((position) => toChange(wanted[position] as WantedChange));
      const options = { projectId, from, now: clock.now(), publicUrl };
      const { files, blocked } = await untilPathsHold(() => transaction((tx) => changeFiles(tx, changes, options)));
      this.changed([...files.values()]);
      // What this round says replaces what the one before said.
      for (const position of round) outcomes.delete(position);
      for (const [index, file] of files) outcomes.set(round[index] as number, file);
      for (const [index, path] of blocked) outcomes.set(round[index] as number, pathError(path));
      left = files.size === 0 ? [] : [...blocked.keys()].map((index) => round[index] as number);
    }
    const found = await this.#find(projectId, wanted.filter((_, position) => !outcomes.has(position)).map(({ id }) => id));
    return wanted.map(({ id }, position) => outcomes.get(position) ?? absentOutcome(found.get(id), from));
  }

  /** Moves files to the trash; those that are there already stay as they are. */
  async trash(projectId: ProjectId, wanted: readonly string[]): Promise<FileOutcome[]> {
    const { transaction, clock, publicUrl } = this.#parts;
    const trashed = await transaction((tx) => trashFiles(tx, knownIds(wanted), { projectId, now: clock.now(), publicUrl }));
    this.changed([...trashed.values()]);
    const found = await this.#find(projectId, wanted.filter((id) => !trashed.has(id)));
    return wanted.map((id) => {
      const file = trashed.get(id) ?? found.get(id);
      if (!file) return new CarcosaError('not_found');
      return file.deletedAt === null ? changedMeanwhile() : file;
    });
  }

  /** Removes files with all their versions, from the trash or not. */
  async purge(projectId: ProjectId, wanted: readonly string[]): Promise<FileOutcome[]> {
    const { transaction, clock, publicUrl } = this.#parts;
    const purged = await transaction((tx) => purgeFiles(tx, knownIds(wanted), { projectId, now: clock.now(), publicUrl }));
    this.changed([...purged.values()]);
    return wanted.map((id) => purged.get(id) ?? new CarcosaError('not_found'));
  }

  /** Makes new files of the present content of others. */
  async copy(projectId: ProjectId, by: string, wanted: readonly { id: string; path: string }[]): Promise<FileOutcome[]> {
    const { transaction, clock, ids, random, publicUrl } = this.#parts;
    const copies = wanted.map(({ id, path }) => ({ id, path, ...splitPath(path), newId: ids.next('file'), newKey: newFileKey(random) }));
    const known = copies.filter((copy): copy is FileCopy => isId('file', copy.id));
    const { files, blocked } = await transaction((tx) => copyFiles(tx, known, { projectId, by, now: clock.now(), publicUrl }));
    const found = await this.#find(projectId, copies.filter(({ newId }) => !files.has(newId) && !blocked.has(newId)).map(({ id }) => id));
    return copies.map(({ id, path, newId }) => files.get(newId) ?? (blocked.has(newId) ? pathError(path) : absentOutcome(found.get(id), 'live')));
  }

  /** To be called when a change of these files is committed. */
  changed(files: readonly File[]): void {
    if (files.length > 0) this.#parts.onChange?.(files.map(({ key }) => key));
  }

  async #find(projectId: ProjectId, ids: readonly string[]): Promise<Map<string, File>> {
    return await findFiles(this.#parts.db, projectId, knownIds(ids), this.#parts.publicUrl);
  }
}

/** The file of an outcome. @throws CarcosaError what stood in its way */
export function fileOf(outcome: FileOutcome | undefined): File {
  if (outcome === undefined) throw new CarcosaError('not_found');
  if (outcome instanceof CarcosaError) throw outcome;
  return outcome;
}

export const inTrash = (): CarcosaError => new CarcosaError('conflict', { message: 'The file is in the trash; restore it first.' });

/** It was trashed or restored between two looks at it. */
const changedMeanwhile = (): CarcosaError => new CarcosaError('conflict', { retryable: true });

function pathError(path: string): CarcosaError {
  const problem = pathProblem(path);
  if (problem) return new CarcosaError('invalid_path', { message: `The path is not allowed: ${problem}.` });
  return new CarcosaError('path_taken', { details: { path } });
}

/** Why a file was not among those that are live, or in the trash: `file` is what was found of it afterwards. */
function absentOutcome(file: File | undefined, from: 'live' | 'trashed'): FileOutcome {
  if (!file) return new CarcosaError('not_found');
  const isLive = file.deletedAt === null;
  if (from === 'live') return isLive ? changedMeanwhile() : inTrash();
  return isLive ? file : changedMeanwhile();
}

/** Positions of items whose ids can be ids of files: the others are not worth a question. */
function knownPositions(wanted: readonly { id: string }[]): number[] {
  return wanted.flatMap(({ id }, position) => (isId('file', id) ? [position] : []));
}

function knownIds(wanted: readonly string[]): FileId[] {
  return [...new Set(wanted)].filter((id) => isId('file', id));
}

function toChange({ id, ...change }: WantedChange): FileChange {
  return { ...change, ...(change.path === undefined ? {} : splitPath(change.path)), id: id as FileId };
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
