import type { ServedFileRow } from '@carcosa/database';
import type { Clock, Lookups } from '@carcosa/kernel';

/** A file as it is served; never changed once it is made. */
export type ServedFile = Readonly<ServedFileRow>;

/** Files that are remembered, and old versions of each. */
const CACHE_SIZE = 4096;
const VERSIONS_SIZE = 16;
/** As long as a change may go unnoticed where its announcement was lost. */
const CACHE_MS = 10_000;

export interface ServedFileCacheOptions {
  clock: Clock;
  /** Reads one content of a file; null when there is none. */
  load: (key: string, version: number | null) => Promise<ServedFile | null>;
}

interface Remembered {
  /** By version; null is the present one. In the order of use. */
  readonly contents: Map<number | null, ServedFile>;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/**
 * Remembers what files are served as, so that a download costs no query. Announcements of changes empty it at once, on every
 * node; without them nothing is remembered for longer than {@link CACHE_MS}. What does not exist is not remembered: it may
 * exist the next moment.
 */
export class ServedFileCache {
  readonly lookups: Lookups = { hits: 0, misses: 0 };
  readonly #options: ServedFileCacheOptions;
  /** In the order of use: the first is the one that was not asked for longest. */
  readonly #files = new Map<string, Remembered>();
  /** The key at the end of `#files`, if known. */
  #latest: string | null = null;
  /** Look-ups under way, by key and version. One that was overtaken by a change is no longer in it and remembers nothing. */
  readonly #loading = new Map<string, Map<number | null, Promise<ServedFile | null>>>();

  constructor(options: ServedFileCacheOptions) {
    this.#options = options;
  }

  /** At once where it is remembered. */
  get(key: string, version: number | null): ServedFile | Promise<ServedFile | null> {
    const remembered = this.#files.get(key);
    if (remembered && remembered.until > this.#options.clock.now()) {
      const file = remembered.contents.get(version);
      if (file) {
        // Whoever reads a file in pieces asks for it again and again: it stands at the end already.
        if (this.#latest !== key) {
          this.#files.delete(key);
          this.#files.set(key, remembered);
          this.#latest = key;
        }
        this.lookups.hits += 1;
        return file;
      }
    }
    this.lookups.misses += 1;
    return this.#load(key, version);
  }

  /** As it is remembered now; null where it is not. */
  peek(key: string, version: number | null): ServedFile | null {
    const remembered = this.#files.get(key);
    if (!remembered || remembered.until <= this.#options.clock.now()) return null;
    return remembered.contents.get(version) ?? null;
  }

  /** Forgets these files, or all of them. */
  forget(keys?: readonly string[]): void {
    if (keys === undefined) {
      this.#files.clear();
      this.#loading.clear();
      return;
    }
    for (const key of keys) {
      this.#files.delete(key);
      this.#loading.delete(key);
    }
  }

  /** Forgets all files of a project. */
  forgetProject(projectId: string): void {
    // Whose the files are that are just being looked up is not known yet.
    this.#loading.clear();
    for (const [key, { contents }] of this.#files) {
      const [file] = contents.values();
      if (file?.projectId === projectId) this.#files.delete(key);
    }
  }

  #load(key: string, version: number | null): Promise<ServedFile | null> {
    const loading = this.#loading.get(key) ?? new Map<number | null, Promise<ServedFile | null>>();
    const underWay = loading.get(version);
    if (underWay) return underWay;
    this.#loading.set(key, loading);
    const ended = (file: ServedFile | null): void => {
      if (this.#loading.get(key) !== loading) return;
      loading.delete(version);
      if (loading.size === 0) this.#loading.delete(key);
      if (file) this.#remember(key, version, file);
    };
    const load = this.#options.load(key, version).then(
      (file) => {
        ended(file);
        return file;
      },
      (error) => {
        ended(null);
        throw error;
      },
    );
    loading.set(version, load);
    return load;
  }

  #remember(key: string, version: number | null, file: ServedFile): void {
    const now = this.#options.clock.now();
    const known = this.#files.get(key);
    const remembered = known && known.until > now ? known : { contents: new Map(), until: now + CACHE_MS };
    remembered.contents.set(version, file);
    if (remembered.contents.size > VERSIONS_SIZE) {
      const [oldest] = remembered.contents.keys();
      if (oldest !== undefined) remembered.contents.delete(oldest);
    }
    this.#files.delete(key);
    this.#files.set(key, remembered);
    this.#latest = key;
    if (this.#files.size <= CACHE_SIZE) return;
    const [oldest] = this.#files.keys();
    if (oldest !== undefined) this.#files.delete(oldest);
  }
}
