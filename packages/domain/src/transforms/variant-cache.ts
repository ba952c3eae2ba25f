import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { CarcosaError, type Clock, type Logger } from '@carcosa/kernel';

export interface VariantCacheOptions {
  /** Absolute; made where it is missing. Nothing else may lie in it, and one process alone uses it. */
  readonly directory: string;
  /** Bytes on disk, at most. */
  readonly maxBytes: number;
  /** Bytes in memory, at most. */
  readonly maxMemoryBytes?: number;
  readonly maxEntries?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A result: small ones as they are, large ones as a file that the reader closes. */
export type VariantBody =
  | { readonly size: number; readonly bytes: Buffer }
  | { readonly size: number; readonly open: () => Promise<import('node:fs/promises').FileHandle> };

export interface VariantCacheStatistics {
  readonly entries: number;
  readonly bytes: number;
  readonly maxBytes: number;
  readonly memoryBytes: number;
  /** Results that went because others needed their room, since the start. */
  readonly evicted: number;
  /** Results that were purged, since the start. */
  readonly purged: number;
}

/** Whose results: of one content of a file, or of all of a project. */
export type VariantOwner = { readonly objectId: string } | { readonly projectId: string };

const part = (text: string, length: number): string => createHash('sha256').update(text).digest('hex').slice(0, length);
const OBJECT_PART = 24;
const PROJECT_PART = 8;

/**
 * The name of a result: of the bytes, which never change, of the project, and of what is done with the bytes.
 * @param what the canonical form, and whatever else the result depends on
 */
export function variantName(of: { objectId: string; projectId: string }, what: string): string {
  return `${part(of.objectId, OBJECT_PART)}${part(of.projectId, PROJECT_PART)}${part(what, 32)}`;
}

const MIB = 1024 * 1024;
/** Larger results are never held in memory. */
const MAX_IN_MEMORY = MIB;
/** What a file takes on disk is a multiple of this. */
const BLOCK = 4096;
/** A name is made of this and says nothing of the file. */
const NAME = /^[0-9a-f]{64}$/;
const UNFINISHED = 'unfinished';

const onDisk = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

/**
 * Keeps results on disk, and the hot ones in memory, both within a number of bytes: what was not asked for longest goes first. A
 * file has its name only when all of it is on stable storage, so that after a crash whatever has a name is whole.
 */
export class VariantCache {
  readonly #options: VariantCacheOptions;
  readonly #maxEntries: number;
  readonly #maxMemory: number;
  /** Size by name, in the order of use. */
  readonly #sizes = new Map<string, number>();
  readonly #memory = new Map<string, Buffer>();
  #bytes = 0;
  #memoryBytes = 0;
  #made = 0;
  #evicted = 0;
  #purged = 0;
  /** Results that are in memory, and on their way to stable storage. */
  readonly #settling = new Map<string, Promise<void>>();
  #ready: Promise<void> | undefined;

  constructor(options: VariantCacheOptions) {
    this.#options = options;
    this.#maxEntries = options.maxEntries ?? 100_000;
    this.#maxMemory = options.maxMemoryBytes ?? 16 * MIB;
  }

  get statistics(): VariantCacheStatistics {
    return {
      ...{ entries: this.#sizes.size, bytes: this.#bytes, maxBytes: this.#options.maxBytes },
      ...{ memoryBytes: this.#memoryBytes, evicted: this.#evicted, purged: this.#purged },
    };
  }

  /** At once where it is in memory; null when it is not kept. */
  get(name: string): VariantBody | Promise<VariantBody | null> {
    const bytes = this.#memory.get(name);
    if (!bytes) return this.#read(name);
    this.#memory.delete(name);
    this.#memory.set(name, bytes);
    this.#touch(name);
    return { size: bytes.length, bytes };
  }

  /** The path of a new file, to be given to {@link keep} or {@link drop}. */
  async place(): Promise<string> {
    await this.#load();
    this.#made += 1;
    return join(this.#options.directory, UNFINISHED, `${process.pid}-${this.#made}`);
  }

  /** Removes what may lie at a place. */
  async drop(place: string): Promise<void> {
    await rm(place, { force: true });
  }

  /** The path of a result that is kept, to be read at once; null when it is not. */
  async locate(name: string): Promise<string | null> {
    await this.#load();
    if (!this.#sizes.has(name)) return null;
    this.#touch(name);
    return this.#file(name);
  }

  /**
   * Takes the file at a place over as a result. A small one can be used at once, while it goes to stable storage.
   * @throws CarcosaError `storage_full` for a large one; a small one is lost then, and made again
   */
  async keep(place: string, name: string): Promise<VariantBody> {
    try {
      const { size } = await stat(place);
      if (size > MAX_IN_MEMORY) {
        await this.#store(place, name, size);
        return await this.#body(name, size);
      }
      const bytes = await readFile(place);
      this.#remember(name, bytes);
      const settling = this.#store(place, name, size)
        .catch((error: unknown) => {
          this.#options.logger.warn({ err: error }, 'could not keep the result of a transform');
          return this.drop(place).catch(() => {});
        })
        .finally(() => this.#settling.delete(name));
      this.#settling.set(name, settling);
      return { size, bytes };
    } catch (error) {
      await this.drop(place).catch(() => {});
      throw diskError(error);
    }
  }

  /** Resolves when all that was taken over lies on stable storage. */
  async settled(): Promise<void> {
    await Promise.all(this.#settling.values());
  }

  /** Removes all results of a content, or of a project. @returns how many */
  async purge(owner: VariantOwner): Promise<number> {
    await this.#load();
    await this.settled();
    const isTheirs =
      'objectId' in owner
        ? startsWith(part(owner.objectId, OBJECT_PART), 0)
        : startsWith(part(owner.projectId, PROJECT_PART), OBJECT_PART);
    const names = [...this.#sizes.keys()].filter(isTheirs);
    for (const name of names) await this.remove(name);
    this.#purged += names.length;
    return names.length;
  }

  /** Removes results; of what is not kept nothing happens. */
  async remove(name: string): Promise<void> {
    this.#forget(name);
    await rm(this.#file(name), { force: true });
  }

  async #read(name: string): Promise<VariantBody | null> {
    await this.#load();
    const size = this.#sizes.get(name);
    if (size === undefined) return null;
    this.#touch(name);
    try {
      const body = await this.#body(name, size);
      const now = this.#options.clock.now() / 1000;
      // The order of use outlives a restart.
      utimes(this.#file(name), now, now).catch(() => {});
      return body;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw diskError(error);
      this.#forget(name);
      return null;
    }
  }

  async #body(name: string, size: number): Promise<VariantBody> {
    const file = this.#file(name);
    if (size > MAX_IN_MEMORY) return { size, open: () => open(file, 'r') };
    const bytes = await readFile(file);
    this.#remember(name, bytes);
    return { size: bytes.length, bytes };
  }

  async #store(place: string, name: string, size: number): Promise<void> {
    const handle = await open(place, 'r+');
    try {
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await mkdir(this.#folder(name), { recursive: true });
    await rename(place, this.#file(name));
    this.#add(name, size);
    await this.#evict();
  }

  #remember(name: string, bytes: Buffer): void {
    this.#memoryBytes += bytes.length - (this.#memory.get(name)?.length ?? 0);
    this.#memory.delete(name);
    this.#memory.set(name, bytes);
    for (const [oldest, each] of this.#memory) {
      if (this.#memoryBytes <= this.#maxMemory) break;
      this.#memory.delete(oldest);
      this.#memoryBytes -= each.length;
    }
  }

  #add(name: string, size: number): void {
    const known = this.#sizes.get(name);
    if (known !== undefined) this.#bytes -= onDisk(known);
    this.#sizes.delete(name);
    this.#sizes.set(name, size);
    this.#bytes += onDisk(size);
  }

  #touch(name: string): void {
    const size = this.#sizes.get(name);
    if (size === undefined) return;
    this.#sizes.delete(name);
    this.#sizes.set(name, size);
  }

  #forget(name: string): void {
    const size = this.#sizes.get(name);
    if (size !== undefined) this.#bytes -= onDisk(size);
    this.#sizes.delete(name);
    this.#memoryBytes -= this.#memory.get(name)?.length ?? 0;
    this.#memory.delete(name);
  }

  async #evict(): Promise<void> {
    const { maxBytes } = this.#options;
    for (const name of [...this.#oldest(maxBytes)]) {
      await this.remove(name);
      this.#evicted += 1;
    }
  }

  /** Those that have to go, but never the last one. */
  *#oldest(maxBytes: number): Generator<string> {
    let [bytes, entries] = [this.#bytes, this.#sizes.size];
    for (const [name, size] of this.#sizes) {
      if ((bytes <= maxBytes && entries <= this.#maxEntries) || entries === 1) return;
      bytes -= onDisk(size);
      entries -= 1;
      yield name;
    }
  }

  #folder(name: string): string {
    return join(this.#options.directory, name.slice(0, 2));
  }

  #file(name: string): string {
    return join(this.#folder(name), name);
  }

  /** Once, when it is first needed: a start does not wait for it. */
  #load(): Promise<void> {
    this.#ready ??= this.#scan().catch((error: unknown) => {
      this.#ready = undefined;
      throw diskError(error);
    });
    return this.#ready;
  }

  async #scan(): Promise<void> {
    const { directory, logger } = this.#options;
    const unfinished = join(directory, UNFINISHED);
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    const found: { name: string; size: number; used: number }[] = [];
    for (const folder of await readdir(directory)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      const names = (await readdir(join(directory, folder))).filter((name) => NAME.test(name));
      const facts = await Promise.all(names.map((name) => stat(join(directory, folder, name))));
      found.push(...facts.map(({ size, mtimeMs }, at) => ({ name: names[at] as string, size, used: mtimeMs })));
    }
    found.sort((one, other) => one.used - other.used);
    for (const { name, size } of found) this.#add(name, size);
    await this.#evict();
    logger.debug({ entries: this.#sizes.size, bytes: this.#bytes }, 'found the results of earlier transforms');
  }
}

const startsWith =
  (wanted: string, at: number) =>
  (name: string): boolean =>
    name.startsWith(wanted, at);

function diskError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new CarcosaError('storage_full', { cause: error });
  return error;
}
