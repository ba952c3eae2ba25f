import { pathProblem, splitPath } from '@carcosa/contracts';
import type { FileChange, HeldFile } from '@carcosa/database';
import { CarcosaError, type FileId } from '@carcosa/kernel';

/** A change of one file, with the id as the client sent it. */
export interface WantedChange extends Pick<FileChange, 'visibility' | 'metadata' | 'tags'> {
  id: string;
  /** The new path. */
  path?: string | undefined;
  /** In place of it: another name in the folder where it is. */
  rename?: string | undefined;
}

/** The files of the project that a plan is about, and the paths that are not theirs to take. */
export interface Surroundings {
  held: readonly HeldFile[];
  taken: readonly { tenantId: string; path: string }[];
  /** Whether who changes may put something there; absent: everywhere. */
  allows?: (path: string) => boolean;
}

export interface ChangePlan {
  /** At most one a file: several of them have become one. */
  changes: FileChange[];
  /** Files whose path another one gets. */
  givingUp: FileId[];
  /** By position: why a change cannot be made. */
  errors: Map<number, CarcosaError>;
}

/**
 * What comes of changes that are made one after the other, in their order: each sees what those before it did, so that a path
 * which one has left is free for the next. Pure: the database then makes all of it at once.
 * @param from `live`: changes files that are there. `trashed`: takes files out of the trash; what is not in it stays as it is.
 */
export function planChanges(
  from: 'live' | 'trashed',
  wanted: readonly WantedChange[],
  { held, taken, allows = () => true }: Surroundings,
): ChangePlan {
  const files = new Map(held.map((file) => [file.id as string, { ...file }]));
  const owners = new Map<string, string>(taken.map((place) => [placeOf(place), 'another']));
  for (const file of held) if (file.isLive) owners.set(placeOf(file), file.id);
  const changes = new Map<FileId, FileChange>();
  const errors = new Map<number, CarcosaError>();
  for (const [position, { id, path, rename, ...facts }] of wanted.entries()) {
    const file = files.get(id);
    if (!file) errors.set(position, new CarcosaError('not_found'));
    else if (from === 'live' && !file.isLive) errors.set(position, inTrash());
    else if (from === 'live' || !file.isLive) {
      const target = targetOf({ path, rename }, file);
      const owner = owners.get(placeOf({ ...file, path: target }));
      const problem = pathProblem(target);
      if (problem)
        errors.set(position, new CarcosaError('invalid_path', { message: `The path is not allowed: ${problem}.` }));
      else if (path !== undefined && !allows(target))
        errors.set(position, new CarcosaError('forbidden', { details: { path } }));
      else if (owner !== undefined && owner !== id) errors.set(position, pathTaken(target));
      else {
        if (file.isLive) owners.delete(placeOf(file));
        Object.assign(file, { path: target, isLive: true });
        owners.set(placeOf(file), id);
        changes.set(file.id, { ...changes.get(file.id), ...given(facts), ...place(target), id: file.id });
      }
    }
  }
  return { changes: [...changes.values()], givingUp: givenUp(held, owners), errors };
}

/** The paths that decide whether the changes can be made, to be looked up before they are planned. */
export function wantedPaths(
  from: 'live' | 'trashed',
  wanted: readonly WantedChange[],
  held: readonly HeldFile[],
): string[] {
  const files = new Map(held.map((file) => [file.id as string, file]));
  const paths = wanted.flatMap((change) => {
    const file = files.get(change.id);
    if (!file) return [];
    const target = targetOf(change, file);
    return from === 'trashed' || target !== file.path ? [target] : [];
  });
  return [...new Set(paths)].filter((path) => pathProblem(path) === null);
}

function targetOf({ path, rename }: Pick<WantedChange, 'path' | 'rename'>, file: { path: string }): string {
  if (path !== undefined || rename === undefined) return path ?? file.path;
  const { folder } = splitPath(file.path);
  return folder === '' ? rename : `${folder}/${rename}`;
}

export const inTrash = (): CarcosaError =>
  new CarcosaError('conflict', { message: 'The file is in the trash; restore it first.' });

export const pathTaken = (path: string): CarcosaError => new CarcosaError('path_taken', { details: { path } });

const place = (path: string) => ({ path, ...splitPath(path) });

/** A tenant's id has no "/", so that no two places are written alike. */
const placeOf = ({ tenantId, path }: { tenantId: string; path: string }): string => `${tenantId}/${path}`;

function given<Facts extends object>(facts: Facts): Partial<Facts> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Partial<Facts>;
}

function givenUp(held: readonly HeldFile[], owners: ReadonlyMap<string, string>): FileId[] {
  const isGivenUp = (file: HeldFile): boolean =>
    file.isLive && ![undefined, file.id].includes(owners.get(placeOf(file)) as FileId);
  return held.filter(isGivenUp).map(({ id }) => id);
}
