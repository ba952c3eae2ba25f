import { CarcosaError } from '@carcosa/kernel';

const MAX_KEY_BYTES = 1024;
const MAX_STEM = 80;
const SAFE_KEY = /^[A-Za-z0-9._~@%+=,-]+(\/[A-Za-z0-9._~@%+=,-]+)*$/;

/** What a stored object's key is made of. */
export interface StorageKeyInput {
  organizationId: string;
  teamId: string;
  projectId: string;
  tenantId?: string | null;
  /** The file's path in its project, already validated; any Unicode. */
  path: string;
  /** Makes the key unique, so that no two versions or twins of a name ever meet. */
  objectId: string;
}

/**
 * `{organization}/{team}/{project}/{tenant?}/{folders}/{stem}~{object id}{.ext}`: for a person who looks into the bucket.
 * Safe for every provider and file system: ASCII only, segments of at most 200 bytes, at most 1,024 bytes in all. What had
 * to be shortened or replaced stays unique through the object's id; the true path lives in the database.
 */
export function storageKey(input: StorageKeyInput): string {
  const segments = input.path.split('/');
  const name = segments.pop() ?? '';
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 && /^\.[A-Za-z0-9]{1,10}$/.test(name.slice(dot)) ? name.slice(dot) : '';
  const stem = safeSegment(extension ? name.slice(0, dot) : name);
  const owner = [input.organizationId, input.teamId, input.projectId, ...(input.tenantId ? [input.tenantId] : [])].join(
    '/',
  );
  const leaf = `${stem}~${input.objectId}${extension}`;
  let folders = segments.map(safeSegment);
  while (owner.length + folders.join('/').length + leaf.length + 2 > MAX_KEY_BYTES) folders = folders.slice(0, -1);
  return [owner, ...folders, leaf].join('/');
}

/** The id of the object that a key of {@link storageKey} was made for; null for any other text. */
export function objectIdOf(key: string): string | null {
  return /~(obj_[0-9a-z]+)(?:\.[A-Za-z0-9]{1,10})?$/.exec(key)?.[1] ?? null;
}

/** @throws CarcosaError `invalid_path` unless `key` has the form that {@link storageKey} makes. */
export function assertStorageKey(key: string): void {
  const wrong =
    key.length > MAX_KEY_BYTES || !SAFE_KEY.test(key) || key.split('/').some((s) => s === '.' || s === '..');
  if (wrong)
    throw new CarcosaError('invalid_path', { message: 'The storage key is not of the form that Carcosa makes.' });
}

function safeSegment(segment: string): string {
  const safe = segment.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, MAX_STEM);
  // A leading dot would hide it, and "." or ".." would leave the folder.
  return safe.replace(/^\.+/, '-') || '-';
}
