import type { Readable } from 'node:stream';

/**
 * Where bytes live. Small on purpose: what every provider can do is required, what only some can is a declared
 * capability (`presign`), absent where it is not offered. An adapter is done when it passes `@carcosa/storage/testsuite`.
 *
 * Keys are made by {@link storageKey}: ASCII segments of [A-Za-z0-9._~@%+=,-], joined by "/", at most 1,024 bytes, no segment
 * empty, "." or "..". Adapters refuse anything else with `invalid_path`.
 *
 * Errors are CarcosaErrors: `not_found`, `storage_full`, `storage_unavailable` (retryable), `storage_misconfigured`.
 */
export interface ObjectStore {
  readonly provider: 'local' | 's3';
  /** Signs requests that a client sends straight to the bucket; absent where the bytes go through us. */
  readonly presign?: PresignCapability;
  /** Takes the parts of a direct upload through us; offered where `presign` is not. */
  readonly parts?: PartsCapability;
  /** Opens objects as files of this machine; absent where they are somewhere else. */
  readonly files?: FilesCapability;
  /** Says what the bucket lets us do, by trying. Every adapter has it; what only stands in front of one may not. */
  readonly diagnosis?: DiagnosisCapability;
  /** Stores small contents in one step; absent where that saves nothing. */
  readonly whole?: WholeCapability;
  /**
   * Keys under which bytes were made whole again when the store was opened, because a crash had torn or taken them. Some may have been deleted
   * before: who opens the store has those removed that nothing refers to. Absent: none.
   */
  readonly recovered?: readonly string[];

  /**
   * Begins an object under `uploadId`. Nothing under `key` counts before {@link StagedObject.commit}, though a provider may show bytes
   * there before: an upload that ends without a file is discarded, and its key deleted.
   */
  stage(input: StageInput): Promise<StagedObject>;
  /**
   * Continues what another request, or another process, began; bytes beyond `at.durable` are dropped. `ref` and `at.durable` are those
   * that one `sync` left, and no older than the upload's row.
   * With `takeover` the former writer may still be alive and writing: what it writes from now on must not reach the object.
   * @throws CarcosaError `not_found` when nothing is staged any more.
   */
  resume(ref: StagedRef, at: { durable: number; takeover: boolean; fence?: number }): Promise<StagedObject>;
  /**
   * Removes all that was staged for an upload, also what a crash left before its `ref` was saved (null then). Idempotent;
   * also right after a commit: it never removes what lies under `key`.
   */
  discard(staged: { uploadId: string; key: string; ref: StagedRef | null }): Promise<void>;

  /** Opens `key` for reading; `range` is inclusive. @throws CarcosaError `not_found` */
  read(key: string, options?: ReadOptions): Promise<Readable>;
  /** `null` when there is nothing under `key`. */
  stat(key: string): Promise<ObjectStat | null>;
  /** Idempotent: removing what is not there succeeds. */
  delete(key: string): Promise<void>;
  /** Server-side where the provider can. @throws CarcosaError `not_found` */
  copy(from: string, to: string): Promise<void>;
  /** All objects whose key begins with `prefix`, in the order of keys. */
  list(prefix: string): AsyncIterable<ObjectStat>;
  close(): Promise<void>;
}

export interface StageInput {
  uploadId: string;
  /** The final key, where it is known: unique, and unreferenced until the object is committed. */
  key: string;
  /** Whole length in bytes where it is known: fixes the size of parts. */
  size: number | null;
  contentType: string;
  /**
   * Number of the writer's lease, higher than that of all former holders (so too at `resume`): where a provider cannot shut out
   * a former writer, it tells whose bytes are the later ones.
   */
  fence?: number;
}

/** All that is needed to find staged bytes again, in any process: plain JSON, kept in the upload's row. */
export type StagedRef = { readonly [name: string]: unknown };

export interface ReadOptions {
  range?: { start: number; end: number };
  signal?: AbortSignal;
}

export interface ObjectStat {
  key: string;
  /** Bytes. */
  size: number;
  /** Milliseconds since the epoch. */
  lastModified: number;
  /** As the provider says it, without quotes; absent where it has none. */
  etag?: string;
  /** In hex, where the provider computed it over the whole content. */
  sha256?: string;
}

/**
 * An object that grows. One writer at a time (the upload's lease sees to that). Appends are ordered; `append` may return
 * before the bytes are anywhere safe, `sync` may not.
 */
export interface StagedObject {
  /** Changes as parts are added: save it together with the offset that `sync` returned. */
  readonly ref: StagedRef;
  /** Bytes appended so far, durable or not. */
  readonly length: number;
  /** Whether a request that was repeated may leave something at the provider that a `discard` after the commit would find. */
  readonly mayLeaveTraces?: boolean;
  /**
   * Takes `chunk` (do not change it afterwards). A promise is back-pressure: wait for it before the next call; it rejects
   * when an earlier write failed. `undefined`: go on at once. With `owned` nobody else will look at the chunk again: its memory
   * may be given back as soon as it is copied, instead of when garbage is next collected.
   */
  append(chunk: Uint8Array, owned?: boolean): Promise<void> | undefined;
  /** Drops everything beyond `length`: the offset that the last `sync` returned, or that this staged object began with. */
  truncate(length: number): Promise<void>;
  /**
   * Puts all bytes appended so far on stable storage and returns their number; appending may go on meanwhile. After a failed
   * sync this staged object refuses every further call: a second fsync that succeeds does not bring lost pages back.
   * With `lazy`, a tail that is better written together with what follows may be left out.
   */
  sync(options?: { lazy?: boolean }): Promise<number>;
  /**
   * SHA-256 in hex of the appended bytes, from byte 0. Reads back whatever was not hashed while it streamed. Ask when all bytes are
   * there: what has to be read back may have to be put together first, and then takes no more.
   */
  sha256(): Promise<string>;
  /** The first bytes, at most `length`, for sniffing. */
  head(length: number): Promise<Uint8Array>;
  /**
   * Makes the object visible under `key` whole and durable. Repeating it after success, or after a crash in the middle,
   * succeeds too. The staged object is closed afterwards.
   */
  commit(key: string): Promise<void>;
  /** Releases handles; staged bytes stay for `resume`. Idempotent. */
  close(): Promise<void>;
}

/** What a bucket must let us do. `cors` is for browsers that upload straight to it. */
export type BucketRight = 'put' | 'get' | 'list' | 'delete' | 'multipart' | 'presigned' | 'cors';

export interface RightFinding {
  right: BucketRight;
  /** `unknown`: it could not be tried. `not-needed`: this provider is used in another way. */
  status: 'granted' | 'missing' | 'unknown' | 'not-needed';
  /** For a person: what was seen, and what to do. Never a credential. */
  message: string;
  /** What to add to the policy of our key, in the provider's words. */
  actions: string[];
}

export interface Examination {
  /** Why nothing could be tried at all, such as a wrong key; all findings are `unknown` then. */
  problem: string | null;
  /** One for each right. */
  rights: RightFinding[];
}

export interface DiagnosisCapability {
  /**
   * Really does each thing, on a random key in a folder of our own, and removes what it made. Does not throw for what the provider
   * refuses: that is the answer.
   * @param origins of pages that will send requests to the bucket, such as `https://app.example.com`
   */
  examine(options: { origins: readonly string[] }): Promise<Examination>;
  /** Lets pages of these origins upload; absent where they send nothing to the bucket itself. */
  allowOrigins?(origins: readonly string[]): Promise<CorsChange>;
}

export interface CorsChange {
  done: boolean;
  /** For a person: what was done, or why not and what to do. */
  message: string;
  /** The rule that was set or is needed, in the provider's words. */
  rule: unknown;
}

/** Contents that are wholly in memory need nothing staged. */
export interface WholeCapability {
  /** Most bytes of such a content. */
  readonly maxSize: number;
  /**
   * Stores `content` under `key`, durable with its name when it resolves, and takes its memory. Never replaces anything. Until then,
   * and after a crash or failure, a part of it may lie under `key`: who calls has written down before that these bytes may have to
   * be deleted.
   * @throws CarcosaError `conflict` when something lies under `key`
   */
  put(key: string, content: Uint8Array): Promise<void>;
}

/** What is on this machine can be sent without a stream in between, or by a proxy in front of us. */
export interface FilesCapability {
  /**
   * Opens `key` for reading: at once where it is still open for somebody else. Call `release` of it exactly once.
   * @throws CarcosaError (or rejects with it) `not_found`
   */
  open(key: string): OpenFile | Promise<OpenFile>;
  /** The absolute path of `key`, whether there is anything or not. */
  locate(key: string): string;
}

/** A file descriptor that several readers share: read at positions, and never close it. */
export interface OpenFile {
  readonly fd: number;
  /** Bytes. */
  readonly size: number;
  release(): void;
}

export interface PresignedRequest {
  method: 'PUT' | 'GET';
  url: string;
  /** Headers that the client must send exactly so; they are signed. */
  headers: Record<string, string>;
}

export interface PresignCapability {
  /** Largest and smallest sizes of a part in bytes, and how many parts there can be. */
  readonly limits: { minPartSize: number; maxPartSize: number; maxParts: number };
  /** A single PUT of exactly `size` bytes into a place that is not `key` yet; `acceptPut` moves it there. */
  signPut(input: { ref: StagedRef; size: number; contentType: string; expiresIn: number }): Promise<PresignedRequest>;
  signPart(input: { ref: StagedRef; partNumber: number; size: number; expiresIn: number }): Promise<PresignedRequest>;
  signGet(input: {
    key: string;
    expiresIn: number;
    contentDisposition?: string;
    contentType?: string;
  }): Promise<PresignedRequest>;
  /** Reserves what a direct upload needs at the provider. `expiresIn` in seconds. */
  begin(input: {
    uploadId: string;
    key: string;
    strategy: 'single' | 'multipart';
    contentType: string;
  }): Promise<StagedRef>;
  /** The parts that the provider holds: its word, not the client's. For `single`, one part once it has arrived. */
  parts(ref: StagedRef): Promise<ReceivedPart[]>;
  /**
   * Makes the direct upload visible under `key`, exactly once however often it is called, also when the provider's answer to
   * an earlier call was lost. `parts` in ascending order with the ETags that the client saw.
   * @throws CarcosaError `upload_incomplete`, `checksum_mismatch` when a part is missing or its ETag differs.
   */
  finish(ref: StagedRef, key: string, parts: { partNumber: number; etag: string }[]): Promise<ObjectStat>;
}

/**
 * Parts of one fixed size, in any order, any number at a time; the staged object is resumed afterwards with the whole size
 * as its durable length.
 */
export interface PartsCapability {
  /** Opens the place of one part of `size` bytes at `offset` of what is staged under `ref`. */
  openPart(ref: StagedRef, place: { offset: number; size: number }): Promise<PartWriter>;
}

export interface PartWriter {
  /** As {@link StagedObject.append}. @throws CarcosaError `length_mismatch` beyond the part's size */
  append(chunk: Uint8Array, owned?: boolean): Promise<void> | undefined;
  /** Puts the part on stable storage. @throws CarcosaError `length_mismatch` when bytes are missing */
  finish(): Promise<void>;
  /** Releases handles. Idempotent; without `finish` the part counts as not sent. */
  close(): Promise<void>;
}

export interface ReceivedPart {
  partNumber: number;
  /** Bytes. */
  size: number;
  /** Without quotes. */
  etag: string;
}
