import { type File, splitPath } from '@carcosa/contracts';
import {
  changeFiles,
  copyFiles,
  type FileCopy,
  findFiles,
  findTakenPaths,
  type HeldFileState,
  holdFiles,
  isUniqueViolation,
  purgeFiles,
  type Queryable,
  trashFiles,
} from '@carcosa/database';
import {
  CarcosaError,
  type Clock,
  type FileId,
  type IdGenerator,
  isId,
  type Random,
  type TenantId,
} from '@carcosa/kernel';
import { type Actor, actorId } from '../access/actor.ts';
import { covers, type Grant, isConfined, mayPlace, placeRefused } from '../access/grant.ts';
import type { Quotas } from '../quotas/quotas.ts';
import { inTrash, pathTaken, planChanges, type WantedChange, wantedPaths } from './change-plan.ts';
import { changeEvent, copyEvent, purgeEvent, recordFiles, trashEvent } from './file-audit.ts';
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
  /** Absent: nothing is limited. */
  quotas?: Pick<Quotas, 'assertStored'> | undefined;
  /**
   * Told the keys of files whose change is committed: this process may remember what they were. The announcement that all
   * processes hear can be a moment behind the answer.
   */
  onChange?: ((keys: string[]) => void) | undefined;
}

/** Who changes files, and where it may. */
export interface FileScope {
  actor: Actor;
  grant: Grant;
}

interface Target {
  /** As the client sent it. */
  id: string;
}

/** How often a change is repeated that another transaction took a path from. */
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
   * Moves and edits live files, or takes files out of the trash, as if one after the other in their order: what an item leaves is
   * free for the next. The outcome of an item is the file after all of them.
   */
  async change(scope: FileScope, from: 'live' | 'trashed', wanted: readonly WantedChange[]): Promise<FileOutcome[]> {
    const { transaction, clock, publicUrl } = this.#parts;
    const { grant } = scope;
    const { projectId } = grant;
    const { errors, changed, unchanged } = await untilPathsHold(() =>
      transaction(async (tx) => {
        const held = await holdCovered(tx, grant, knownIds(wanted));
        const ids = held.map(({ id }) => id);
        const paths = wantedPaths(from, wanted, held);
        const taken = await findTakenPaths(tx, { projectId, paths, except: ids });
        const { changes, givingUp, errors } = planChanges(from, wanted, {
          held,
          taken,
          allows: (path) => mayPlace(grant, path),
        });
        const changed = await changeFiles(tx, changes, { givingUp, now: clock.now(), publicUrl });
        const events = held.flatMap((before) => {
          const file = changed.get(before.id);
          return file ? [changeEvent(before, file)] : [];
        });
        await recordFiles(tx, this.#by(scope), events);
        return { errors, changed, unchanged: await findFiles(tx, projectId, without(ids, changed), publicUrl) };
      }),
    );
    this.changed([...changed.values()]);
    return wanted.map(
      ({ id }, position) =>
        errors.get(position) ?? changed.get(id) ?? unchanged.get(id) ?? new CarcosaError('not_found'),
    );
  }

  /** Moves files to the trash; those that are there already stay as they are. */
  async trash(scope: FileScope, wanted: readonly Target[]): Promise<FileOutcome[]> {
    const { transaction, clock, publicUrl } = this.#parts;
    const { grant } = scope;
    const { projectId } = grant;
    const { trashed, unchanged } = await transaction(async (tx) => {
      const ids = (await holdCovered(tx, grant, knownIds(wanted))).map(({ id }) => id);
      const trashed = await trashFiles(tx, ids, { projectId, now: clock.now(), publicUrl });
      await recordFiles(tx, this.#by(scope), [...trashed.values()].map(trashEvent));
      return { trashed, unchanged: await findFiles(tx, projectId, without(ids, trashed), publicUrl) };
    });
    this.changed([...trashed.values()]);
    return wanted.map(({ id }) => trashed.get(id) ?? unchanged.get(id) ?? new CarcosaError('not_found'));
  }

  /** Removes files with all their versions, from the trash or not. */
  async purge(scope: FileScope, wanted: readonly Target[]): Promise<FileOutcome[]> {
    const { transaction, clock, publicUrl } = this.#parts;
    const { grant } = scope;
    const { projectId } = grant;
    const purged = await transaction(async (tx) => {
      const ids = await coveredIds(tx, grant, knownIds(wanted));
      const purged = await purgeFiles(tx, ids, { projectId, now: clock.now(), publicUrl });
      await recordFiles(tx, this.#by(scope), [...purged.values()].map(purgeEvent));
      return purged;
    });
    this.changed([...purged.values()]);
    return wanted.map(({ id }) => purged.get(id) ?? new CarcosaError('not_found'));
  }

  /** Makes new files of the present content of others: all that can be made, or none where that passes a quota. */
  async copy(scope: FileScope, wanted: readonly (Target & { path: string })[]): Promise<FileOutcome[]> {
    const { transaction, clock, ids, random, publicUrl } = this.#parts;
    const { actor, grant } = scope;
    const by = actorId(actor);
    const { projectId } = grant;
    const copies = wanted.map(({ id, path }) => ({
      id,
      path,
      ...splitPath(path),
      newId: ids.next('file'),
      newKey: newFileKey(random),
    }));
    const candidates = copies.filter((copy): copy is FileCopy => isId('file', copy.id) && mayPlace(grant, copy.path));
    const { made, blocked, found } = await transaction(async (tx) => {
      const covered = new Set<string>(await coveredIds(tx, grant, knownIds(candidates)));
      const known = candidates.filter(({ id }) => covered.has(id));
      const { files: made, blocked } = await copyFiles(tx, known, { projectId, by, now: clock.now(), publicUrl });
      const events = known.flatMap(({ id, newId }) => {
        const file = made.get(newId);
        return file ? [copyEvent(file, id)] : [];
      });
      await recordFiles(tx, this.#by(scope), events);
      const tenantIds = [...made.values()].map(({ tenantId }) => tenantId as TenantId | null);
      await this.#parts.quotas?.assertStored(tx, projectId, tenantIds, ['bytes', 'files']);
      const absent = known.filter(({ newId }) => !made.has(newId) && !blocked.has(newId));
      return { made, blocked, found: await findFiles(tx, projectId, knownIds(absent), publicUrl) };
    });
    return copies.map(
      ({ id, path, newId }) =>
        made.get(newId) ??
        (mayPlace(grant, path)
          ? blocked.has(newId)
            ? pathTaken(path)
            : absentSource(found.get(id))
          : placeRefused(grant)),
    );
  }

  #by({ actor, grant }: FileScope) {
    return { actor, projectId: grant.projectId, clock: this.#parts.clock };
  }

  /** To be called when a change of these files is committed. */
  changed(files: readonly File[]): void {
    if (files.length > 0) this.#parts.onChange?.(files.map(({ key }) => key));
  }
}

/** The file of an outcome. @throws CarcosaError what stood in its way */
export function fileOf(outcome: FileOutcome | undefined): File {
  if (outcome === undefined) throw new CarcosaError('not_found');
  if (outcome instanceof CarcosaError) throw outcome;
  return outcome;
}

/** Why a file could not be copied: `file` is what was found of it afterwards. */
function absentSource(file: File | undefined): CarcosaError {
  if (!file) return new CarcosaError('not_found');
  // Live: restored between the two looks.
  return file.deletedAt === null ? new CarcosaError('conflict', { retryable: true }) : inTrash();
}

/** Each once, and only what can be the id of a file: the others are not worth a question. */
function knownIds(wanted: readonly Target[]): FileId[] {
  return [...new Set(wanted.map(({ id }) => id))].filter((id) => isId('file', id));
}

/** Locks those of `ids` that the grant covers. */
async function holdCovered(tx: Queryable, grant: Grant, ids: readonly FileId[]): Promise<HeldFileState[]> {
  const held = await holdFiles(tx, grant.projectId, ids);
  return isConfined(grant) ? held.filter((file) => covers(grant, file)) : held;
}

/** The same where the next statement locks them itself: those of a whole project need no look before. */
async function coveredIds(tx: Queryable, grant: Grant, ids: FileId[]): Promise<FileId[]> {
  return isConfined(grant) ? (await holdCovered(tx, grant, ids)).map(({ id }) => id) : ids;
}

const without = (ids: readonly FileId[], done: ReadonlyMap<string, unknown>): FileId[] =>
  ids.filter((id) => !done.has(id));

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
