import { createReadStream, type Dirent } from 'node:fs';
import { constants, copyFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { CarcosaError, systemClock, systemRandom } from '@carcosa/kernel';
import { assertStorageKey } from '../../key.ts';
import type {
  DiagnosisCapability,
  ObjectStat,
  ObjectStore,
  PartsCapability,
  PartWriter,
  ReadOptions,
  StagedObject,
  StagedRef,
  StageInput,
  WholeCapability,
} from '../../port.ts';
import { ContentHash, INLINE_LIMIT } from './content-hash.ts';
import { LocalDiagnosis } from './diagnosis.ts';
import type { SmallFile } from './disk-worker-protocol.ts';
import type { DiskWorkers } from './disk-workers.ts';
import {
  close,
  DirectorySyncer,
  fdatasync,
  ftruncate,
  isErrno,
  open,
  rename,
  stat,
  toStorageError,
  unlink,
} from './file-system.ts';
import { Frontier } from './frontier.ts';
import { type Recovery, recoverJournals } from './journal-recovery.ts';
import { OpenFiles } from './open-files.ts';
import { PartFile } from './part-file.ts';
import { StagedFile } from './staged-file.ts';

/** Hashes of staged files that nobody writes to at present: who resumes need not read them again. */
const MAX_PARKED = 128;
/** How long closing waits until small files are safe without their journal; what is left is done at the next start. */
const SETTLE_PATIENCE_MS = 3_000;
const STAGED_NAME = /^[A-Za-z0-9_]{1,80}\.\d{1,9}$/;

export interface LocalObjectStoreOptions {
  /** Directory of the bucket; made when missing. `objects/` and `staging/` lie in it, on one file system. */
  root: string;
  workers: DiskWorkers;
}

const NOTHING = { length: 0, entryDurable: false };

interface Parked {
  hash: ContentHash;
  /** For parts: how far the file is complete, and whether one part is being hashed as it comes. */
  parts: { frontier: Frontier; following: boolean } | null;
}

/**
 * A bucket in a directory. An object is a file at its key below `objects/`, with data and directory entries synced. Uploads grow in
 * `staging/` and are renamed: they are whole from the moment that they have a name below `objects/`. Only small contents that come in one
 * piece (`whole`) are written there at once, and are durable by a journal in `journal/` until they are synced (ADR 55).
 */
export class LocalObjectStore implements ObjectStore {
  readonly provider = 'local';
  readonly diagnosis: DiagnosisCapability = new LocalDiagnosis(this, systemRandom);
  readonly files: OpenFiles = new OpenFiles({ locate: (key) => this.locate(key) });
  readonly parts: PartsCapability = { openPart: (ref, place) => this.#openPart(ref, place) };
  readonly whole: WholeCapability;
  readonly #objects: string;
  readonly #staging: string;
  readonly #journals: string;
  readonly #workers: DiskWorkers;
  #hasJournal = false;
  #recovery: Recovery | null = null;
  readonly #directories = new DirectorySyncer();
  readonly #parked = new Map<string, Parked>();

  private constructor(options: LocalObjectStoreOptions) {
    this.#objects = path.join(path.resolve(options.root), 'objects');
    this.#staging = path.join(path.resolve(options.root), 'staging');
    this.#journals = path.join(path.resolve(options.root), 'journal');
    this.#workers = options.workers;
    const { workers } = options;
    this.whole = {
      maxSize: INLINE_LIMIT,
      put: (key, content) =>
        workers.store({ staged: null, target: this.locate(key), content, journal: this.#journal(key) }),
    };
  }

  /** Storage keys of small files that a crash had torn or taken, whole again since this store was opened; some may belong to nothing any more. */
  get recovered(): readonly string[] {
    return this.#recovery?.written ?? [];
  }

  #journal(key: string): SmallFile['journal'] {
    return this.#hasJournal ? { directory: this.#journals, objects: this.#objects, key } : null;
  }

  /** @throws CarcosaError `storage_misconfigured` when the directory cannot be made or written */
  static async open(options: LocalObjectStoreOptions): Promise<LocalObjectStore> {
    const store = new LocalObjectStore(options);
    try {
      await store.#directories.ensure(store.#objects);
      await store.#directories.ensure(store.#staging);
      store.#hasJournal = (await options.workers.owner()) !== null;
      await store.#recover();
    } catch (error) {
      throw toStorageError(error);
    }
    return store;
  }

  async #recover(): Promise<void> {
    const place = { directory: this.#journals, objects: this.#objects, staging: this.#staging };
    this.#recovery = await recoverJournals(place, systemClock.now());
    // What cannot be settled now is as safe as it was, and tried again at the next start.
    this.#recovery.settled.catch(() => {});
  }

  async stage(input: StageInput): Promise<StagedObject> {
    const name = firstName(input.uploadId);
    return this.#stagedFile(name, null, NOTHING);
  }

  async resume(ref: StagedRef, at: { durable: number; takeover: boolean; fence?: number }): Promise<StagedObject> {
    const ours = at.takeover ? heirName(ref, at.fence) : stagedName(ref);
    // A file is made with its first byte: until then there is none to continue, nor one that a former writer could have open.
    if (at.durable === 0 && !(await this.#isStaged(ref))) return this.#stagedFile(ours, null, NOTHING);
    const name = at.takeover ? await this.#fence(ref, ours, at.durable) : ours;
    const fd = await open(this.#staged(name), 'r+').catch(rethrow);
    try {
      await this.#cutTo(fd, at.durable, name);
    } catch (error) {
      await close(fd);
      throw toStorageError(error);
    }
    return this.#stagedFile(name, fd, { length: at.durable, entryDurable: true });
  }

  async discard(staged: { uploadId: string; ref: StagedRef | null }): Promise<void> {
    const { uploadId } = parseName(staged.ref ? stagedName(staged.ref) : firstName(staged.uploadId));
    await this.#removeStaged(uploadId);
  }

  /** Removes every file of an upload: takeovers whose names were never saved have left some that no row knows of. */
  async #removeStaged(uploadId: string): Promise<void> {
    const names = await readdir(this.#staging).catch(rethrow);
    for (const name of names.filter((each) => each.startsWith(`${uploadId}.`))) {
      this.#unpark(name)?.hash.dispose();
      await removeFile(this.#staged(name));
    }
  }

  async #isStaged(ref: StagedRef): Promise<boolean> {
    const name = stagedName(ref);
    return (await isThere(this.#staged(name))) || (await isThere(this.#staged(takenName(name))));
  }

  async read(key: string, options: ReadOptions = {}): Promise<Readable> {
    const file = this.locate(key);
    const fd = await open(file, 'r').catch(rethrow);
    return createReadStream(file, {
      fd,
      autoClose: true,
      highWaterMark: 256 * 1024,
      ...(options.range ?? {}),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  }

  async stat(key: string): Promise<ObjectStat | null> {
    const found = await stat(this.locate(key)).catch((error) => {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null;
      throw toStorageError(error);
    });
    return found?.isFile() ? { key, size: found.size, lastModified: found.mtimeMs } : null;
  }

  async delete(key: string): Promise<void> {
    const file = this.locate(key);
    await removeFile(file);
    this.files.forget(key);
    await this.#directories.sync(path.dirname(file)).catch((error) => {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw toStorageError(error);
    });
  }

  async copy(from: string, to: string): Promise<void> {
    const target = this.locate(to);
    const temporary = this.#staged(`copy_${path.basename(target).replace(/[^A-Za-z0-9]/g, '')}.0`);
    try {
      // Shares the blocks where the file system can, copies them in the kernel where it cannot.
      await copyFile(this.locate(from), temporary, constants.COPYFILE_FICLONE);
      const fd = await open(temporary, 'r+');
      const copied = new StagedFile(
        this.#options(path.basename(temporary), fd, { length: (await stat(temporary)).size, entryDurable: false }),
      );
      await copied.commit(to);
    } catch (error) {
      await removeFile(temporary);
      throw toStorageError(error);
    }
  }

  async *list(prefix: string): AsyncIterable<ObjectStat> {
    yield* this.#walk('', prefix);
  }

  async close(): Promise<void> {
    this.files.close();
    for (const { hash } of this.#parked.values()) hash.dispose();
    this.#parked.clear();
    await this.#workers.settle(this.#journals, SETTLE_PATIENCE_MS);
  }

  /** The file that holds `key`. @throws CarcosaError `invalid_path` for a key that we did not make */
  locate(key: string): string {
    assertStorageKey(key);
    return path.join(this.#objects, key);
  }

  #staged(name: string): string {
    return path.join(this.#staging, name);
  }

  #stagedFile(name: string, fd: number | null, state: { length: number; entryDurable: boolean }): StagedFile {
    return new StagedFile(this.#options(name, fd, state));
  }

  #options(name: string, fd: number | null, state: { length: number; entryDurable: boolean }) {
    const file = this.#staged(name);
    const parked = this.#unpark(name);
    // A parked hash of parts knows only what lies before its frontier; the rest is read from the file.
    const hash = parked?.hash ?? new ContentHash(this.#workers, file, state.length === 0);
    hash.rewound(state.length);
    return {
      fd,
      path: file,
      ref: { file: name },
      ...state,
      hash,
      workers: this.#workers,
      directories: this.#directories,
      resolve: (key: string) => this.locate(key),
      wasTakenOver: parseName(name).generation > 0,
      onClose: (committed: boolean) => {
        if (committed) hash.dispose();
        else this.#park(name, { hash, parts: null });
      },
    };
  }

  /**
   * Gives the bytes that were acknowledged a new file, and takes the name from the old one: whoever still holds that writes to a
   * file that nothing will be made of. It stays until the upload ends, for an heir of an heir that died before its name was
   * saved: what is acknowledged lies before anything that the former writer may still write.
   */
  async #fence(ref: StagedRef, heir: string, durable: number): Promise<string> {
    const old = stagedName(ref);
    const taken = takenName(old);
    this.#unpark(old)?.hash.dispose();
    try {
      await rename(this.#staged(old), this.#staged(taken)).catch(async (error) => {
        if (!isErrno(error, 'ENOENT') || !(await isThere(this.#staged(taken)))) throw error;
      });
      await copyFile(this.#staged(taken), this.#staged(heir), constants.COPYFILE_FICLONE);
      const fd = await open(this.#staged(heir), 'r+');
      try {
        await ftruncate(fd, durable);
        await fdatasync(fd);
      } finally {
        await close(fd);
      }
      await this.#directories.sync(this.#staging);
    } catch (error) {
      throw toStorageError(error);
    }
    return heir;
  }

  async #cutTo(fd: number, durable: number, name: string): Promise<void> {
    const { size } = await stat(this.#staged(name));
    if (size < durable) {
      throw new CarcosaError('storage_unavailable', {
        message: `The bucket has lost acknowledged bytes of an upload: ${size} of ${durable} are there.`,
        retryable: false,
      });
    }
    if (size > durable) await ftruncate(fd, durable);
  }

  async #openPart(ref: StagedRef, place: { offset: number; size: number }): Promise<PartWriter> {
    const name = stagedName(ref);
    const fd = await open(this.#staged(name), 'r+').catch(rethrow);
    const parked = this.#unpark(name) ?? {
      hash: new ContentHash(this.#workers, this.#staged(name), false),
      parts: null,
    };
    parked.parts ??= { frontier: new Frontier(), following: false };
    this.#park(name, parked);
    const { hash, parts } = parked;
    const { frontier } = parts;
    // A part that is sent again may differ from what was hashed.
    hash.rewound(place.offset);
    const inOrder = !parts.following && frontier.position === place.offset;
    if (inOrder) parts.following = true;
    return new PartFile({
      ...{ fd, path: this.#staged(name), place, slots: this.#workers.slots, hash, inOrder },
      onFinish: () => {
        frontier.add(place.offset, place.offset + place.size);
        hash.written(frontier.position);
      },
      onClose: (finished) => {
        if (!inOrder) return;
        parts.following = false;
        if (!finished) hash.rewound(place.offset);
      },
    });
  }

  #park(name: string, parked: Parked): void {
    this.#parked.set(name, parked);
    if (this.#parked.size <= MAX_PARKED) return;
    const [oldest] = this.#parked.keys();
    if (oldest) this.#unpark(oldest)?.hash.dispose();
  }

  #unpark(name: string): Parked | undefined {
    const parked = this.#parked.get(name);
    this.#parked.delete(name);
    return parked;
  }

  async *#walk(folder: string, prefix: string): AsyncIterable<ObjectStat> {
    const entries = await readdir(path.join(this.#objects, folder), { withFileTypes: true }).catch(
      (error): Dirent[] => {
        if (isErrno(error, 'ENOENT')) return [];
        throw toStorageError(error);
      },
    );
    // In the order of whole keys a folder sorts as its name with the "/" that follows.
    const sorted = entries.map((entry) => ({ entry, key: `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}` }));
    sorted.sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const { entry, key } of sorted) {
      const relevant = key.startsWith(prefix) || (entry.isDirectory() && prefix.startsWith(key));
      if (!relevant) continue;
      if (entry.isDirectory()) yield* this.#walk(key, prefix);
      else {
        const found = await this.stat(key);
        if (found) yield found;
      }
    }
  }
}

/** Names in the staging directory are `{upload id}.{generation}`; each takeover makes a generation. */
const firstName = (uploadId: string) => `${uploadId}.0`;

/** Each lease has a number of its own, so that no two heirs ever share a name. */
function heirName(ref: StagedRef, fence: number | undefined): string {
  const { uploadId, generation } = parseName(stagedName(ref));
  return `${uploadId}.${fence ?? generation + 1}`;
}

/** What a staged file is called when its upload was taken over. */
function takenName(name: string): string {
  return `${parseName(name).uploadId}.taken`;
}

function parseName(name: string): { uploadId: string; generation: number } {
  const dot = name.lastIndexOf('.');
  return { uploadId: name.slice(0, dot), generation: Number(name.slice(dot + 1)) };
}

function stagedName(ref: StagedRef): string {
  const { file } = ref;
  if (typeof file !== 'string' || !STAGED_NAME.test(file)) {
    throw new CarcosaError('internal_error', { message: 'The upload does not say where its bytes are staged.' });
  }
  return file;
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error) => {
      if (isErrno(error, 'ENOENT')) return false;
      throw toStorageError(error);
    },
  );
}

async function removeFile(file: string): Promise<void> {
  await unlink(file).catch((error) => {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw toStorageError(error);
  });
}

function rethrow(error: unknown): never {
  throw toStorageError(error);
}
