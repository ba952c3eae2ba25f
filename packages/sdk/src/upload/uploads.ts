import { CarcosaError } from '../errors.ts';
import type { Http, QueryOf } from '../http.ts';
import type { File, Upload } from '../openapi.ts';
import { type Pages, pages } from '../pages.ts';
import { uniqueId } from '../timing.ts';
import type { UploadMemory, UploadProtocol, UploadRun, UploadTarget } from './context.ts';
import { uploadDirectly } from './direct.ts';
import type { UploadProgress } from './progress.ts';
import { uploadSimply } from './simple.ts';
import { Slots } from './slots.ts';
import { fingerprintOf, sourceOf, type UploadInput, type UploadSource } from './source.ts';
import { UploadTask } from './task.ts';
import type { Transport } from './transport.ts';
import { uploadByTus } from './tus.ts';

export interface UploadOptions extends UploadTarget {
  /** Called at most ten times a second. */
  onProgress?: (progress: UploadProgress) => void;
  /** Cancels it. */
  signal?: AbortSignal;
  /**
   * Default `auto`: up to 5 MiB one request; beyond, straight to the bucket in parts, or by tus where that is better: for less than a part,
   * for streams of unknown length, and from Node to a bucket on the server's own disk.
   */
  protocol?: UploadProtocol;
  /** SHA-256 of the content as 64 hex digits, if it is known: the server compares. What goes in one request is hashed here. */
  sha256?: string;
  /**
   * Continues an unfinished upload. Default true: the one that was begun with the same file, if there is one. An upload of
   * `listUnfinishedUploads()`: that one. False: always from the beginning.
   */
  resume?: boolean | Pick<Upload, 'id'>;
}

export interface UploadSettings {
  readonly transport: Transport;
  readonly parallelFiles: number;
  readonly parallelParts: number;
  readonly hashes: boolean;
  readonly prefersTus: boolean;
  /** Makes a source of what only this platform knows. */
  readonly openSource: (input: never) => Promise<UploadSource>;
}

const MIB = 1024 * 1024;
/** Up to here an upload is one request. */
export const SIMPLE_BYTES = 5 * MIB;

const PROTOCOLS = { simple: uploadSimply, direct: uploadDirectly, tus: uploadByTus };

/** Uploads, and the sessions that the server keeps of them. */
export class Uploads<Input = UploadInput> {
  readonly #http: Http;
  readonly #settings: UploadSettings;
  readonly #slots: Slots;
  /** What this client is working on: nobody else of it continues those sessions. */
  readonly #running = new Set<UploadMemory>();

  constructor(http: Http, settings: UploadSettings) {
    this.#http = http;
    this.#settings = settings;
    this.#slots = new Slots(settings.parallelFiles);
  }

  /** Begins an upload at once, or as soon as those before it leave room. */
  upload(input: Input, options: UploadOptions = {}): UploadTask<File> {
    const memory: UploadMemory = { idempotencyKey: uniqueId(this.#http.settings.timing) };
    const { signal, onProgress, sha256 } = options;
    const { transport, parallelParts, hashes, prefersTus } = this.#settings;
    const checksum = sha256 === undefined ? undefined : `sha256:${sha256.toLowerCase()}`;
    const { timing } = this.#http.settings;
    const own = {
      http: this.#http,
      timing,
      transport,
      parallelParts,
      hashes,
      prefersTus,
      checksum,
      target: targetOf(options),
      memory,
    };
    const opened = new Reopened(() => this.#settings.openSource(input as never));
    return new UploadTask<File>({
      name: options.fileName ?? (input as { name?: string }).name ?? options.path?.split('/').pop() ?? '',
      slots: this.#slots,
      timing,
      signal,
      onProgress,
      isPausable: () => !opened.isStream,
      run: async (meter, runSignal) => {
        const source = await opened.open();
        try {
          meter.total = source.size;
          return await this.#perform({ ...own, source, meter, signal: runSignal }, options);
        } finally {
          await source.close?.();
        }
      },
      discard: async () => {
        if (memory.uploadId) await this.abort(memory.uploadId);
      },
    });
  }

  /** Begins many; so many at once as the client was made for. */
  uploadAll(
    inputs: Iterable<Input>,
    options: (input: Input, index: number) => UploadOptions = () => ({}),
  ): UploadTask<File>[] {
    return Array.from(inputs, (input, index) => this.upload(input, options(input, index)));
  }

  /** Sessions that can be continued, the newest first, on whatever device they were begun. */
  listUnfinished(query: Omit<QueryOf<'GET /uploads'>, 'cursor'> = {}): Pages<Upload> {
    const all = this.#http.inProject(query);
    return pages((cursor) => this.#http.call('GET /uploads', { query: { ...all, ...(cursor ? { cursor } : {}) } }));
  }

  /** How far one is, with the parts that have arrived. */
  get(id: string): Promise<Upload> {
    return this.#http.call('GET /uploads/{id}', { path: { id } });
  }

  /** Ends a session and removes what arrived. */
  async abort(id: string): Promise<void> {
    await this.#http.call('DELETE /uploads/{id}', { path: { id } });
  }

  async #perform(run: UploadRun, { protocol = 'auto', resume = true }: UploadOptions): Promise<File> {
    const { memory, source } = run;
    if (memory.uploadId === undefined && memory.protocol === undefined) {
      if (typeof resume === 'object') await this.#continue(run, resume.id);
      else if (protocol !== 'auto') memory.protocol = protocol;
      else if (source.size === null) memory.protocol = 'tus';
      else if (source.size <= SIMPLE_BYTES) memory.protocol = 'simple';
      if (memory.protocol !== 'simple' && memory.uploadId === undefined) {
        memory.fingerprint = await fingerprintOf(source);
        // Without its time two contents are too easily taken for one.
        if (resume && source.lastModified !== undefined) await this.#findBegun(run, protocol);
      }
    }
    this.#running.add(memory);
    try {
      return await PROTOCOLS[memory.protocol ?? 'direct'](run);
    } finally {
      this.#running.delete(memory);
    }
  }

  /** Takes up the session that was begun with this file, if there is one. */
  async #findBegun({ http, memory, source, target, signal }: UploadRun, wanted: UploadProtocol): Promise<void> {
    const { fingerprint } = memory;
    if (fingerprint === undefined) return;
    const query = http.inProject({ fingerprint, ...(target.projectId ? { projectId: target.projectId } : {}) });
    const { items } = await http.call('GET /uploads', { query }, { signal });
    const found = items.find(
      ({ id, size, path, door, name }) =>
        size === source.size &&
        ![...this.#running].some(({ uploadId }) => uploadId === id) &&
        (wanted === 'auto' ? door !== 'simple' : door === wanted) &&
        (target.path === undefined ? name === (target.fileName ?? source.name) : path === target.path),
    );
    if (found) take(memory, found);
  }

  async #continue({ http, memory, source, signal }: UploadRun, id: string): Promise<void> {
    const upload = await http.call('GET /uploads/{id}', { path: { id } }, { signal });
    if (upload.size !== null && source.size !== upload.size)
      throw new CarcosaError(
        'invalid_argument',
        `This is not the file that ${upload.name} was begun with: its size is another.`,
      );
    const fingerprint = upload.fingerprint === null ? undefined : await fingerprintOf(source);
    // The same file has another time on another device.
    const content = (text: string): string => text.slice(0, text.lastIndexOf('-'));
    if (upload.fingerprint !== null && fingerprint && content(fingerprint) !== content(upload.fingerprint))
      throw new CarcosaError(
        'invalid_argument',
        `This is not the file that ${upload.name} was begun with: its content is another.`,
      );
    take(memory, upload);
  }
}

/** What is uploaded, open for as long as a run of it takes. */
class Reopened {
  readonly #open: () => Promise<UploadSource>;
  #first: Pick<UploadSource, 'size' | 'lastModified'> | undefined;
  isStream = false;

  constructor(open: () => Promise<UploadSource>) {
    this.#open = open;
  }

  /** @throws CarcosaError `source_unreadable` where it was changed since it was first opened */
  async open(): Promise<UploadSource> {
    const source = await this.#open();
    const { size, lastModified } = source;
    this.#first ??= { size, lastModified };
    this.isStream = source.stream !== undefined;
    if (size === this.#first.size && lastModified === this.#first.lastModified) return source;
    await source.close?.();
    throw new CarcosaError('source_unreadable', `${source.name} was changed while it was paused; begin it anew.`);
  }
}

function take(memory: UploadMemory, { id, door }: Upload): void {
  if (door === 'signed')
    throw new CarcosaError('upload_not_open', 'This upload continues by its signed address alone.');
  memory.uploadId = id;
  memory.protocol = door;
}

/** What the server is told, without what concerns this client alone. */
function targetOf(options: UploadOptions): UploadTarget {
  const { path, fileName, contentType, visibility, metadata, tenantId, projectId } = options;
  const all = { path, fileName, contentType, visibility, metadata, tenantId, projectId };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export { sourceOf };
