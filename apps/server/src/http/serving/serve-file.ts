import type { ServerResponse } from 'node:http';
import {
  type Actor,
  cacheControl,
  type EgressLimit,
  type EgressMeter,
  egressLimits,
  evaluatePreconditions,
  type OpenedFile,
  rangeStillApplies,
  refersToNeighbours,
  requestedRanges,
  type StoreRegistry,
  type UsageMeter,
  wouldRunOnOurOrigin,
} from '@carcosa/domain';
import { type BucketId, CarcosaError, type Clock, type Random, randomToken } from '@carcosa/kernel';
import type { FilesCapability, ObjectStore, OpenFile, PresignCapability } from '@carcosa/storage/port';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { commonHeaders } from '../plugins/request-context.ts';
import { type Body, storageFailure } from './body.ts';
import { BufferPool } from './buffer-pool.ts';
import type { DownloadTally } from './download-tally.ts';
import { downloadDisposition, type FileHead, headOf } from './head.ts';
import { PacedReader } from './paced-reader.ts';
import { type Plan, planBody } from './plan.ts';
import { sendFile } from './send-file.ts';
import { sendStream } from './send-stream.ts';
import { type Sendfile, sendfileHeaders } from './sendfile.ts';

export interface FileServerParts {
  stores: StoreRegistry;
  clock: Clock;
  random: Random;
  sendfile: Sendfile;
  egress: EgressMeter;
  downloads: DownloadTally;
  usage: Pick<UsageMeter, 'countDownload'>;
}

/** A request for a file that may be served. */
export interface FileRequest {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly opened: OpenedFile;
  /** Whether the address names a version. */
  readonly versioned: boolean;
  /** Value of `download` in the address; null to show what can be shown. */
  readonly download: string | null;
  /** Whether shared caches may keep a public file: not where a key was needed to ask for it. */
  readonly shared: boolean;
  /** Who asked with a key; null: nobody that we know. */
  readonly actor: Actor | null;
}

/** Seconds for which the provider's address is good that a client is redirected to. */
const REDIRECT_LIFETIME = 3600;
const BOUNDARY_LENGTH = 24;
/** Bytes of an answer that is counted when it begins; of a larger one, what really went out is counted when it has ended. */
const COUNTED_AT_ONCE = 256 * 1024;

/**
 * Answers GET and HEAD for files by RFC 9110: conditions, ranges, and the bytes by the shortest way that the bucket allows. What
 * needs no waiting makes no promise: of a small range out of the page cache, promises would be a tenth of the work.
 */
export class FileServer {
  readonly #parts: FileServerParts;
  readonly #reader = new PacedReader();
  readonly #buffers = new BufferPool();
  /** Those that were opened already: a registry opens each of them once. */
  readonly #stores = new Map<BucketId, ObjectStore>();

  constructor(parts: FileServerParts) {
    this.#parts = parts;
  }

  /**
   * Answers; or throws, or rejects, while nothing is sent.
   * @throws CarcosaError `not_found` when the object was deleted since the file was looked up, `range_not_satisfiable`,
   * `precondition_failed`, `forbidden`, `storage_unavailable`, `storage_misconfigured`
   */
  serve(asked: FileRequest): void | Promise<void> {
    const { bucketId } = asked.opened.file;
    const store = this.#stores.get(bucketId);
    if (store) return this.#answer(asked, store);
    return this.#parts.stores.storeFor(bucketId).then((opened) => {
      this.#stores.set(bucketId, opened);
      return this.#answer(asked, opened);
    });
  }

  #answer(asked: FileRequest, store: ObjectStore): void | Promise<void> {
    const { request, reply, opened } = asked;
    const { file } = opened;
    const { downloads, usage } = this.#parts;
    const head = headOf(file);
    if (head.isScript) assertNotForOurOrigin(request, file.contentType);
    const isHead = request.raw.method === 'HEAD';
    const limits = egressLimits(file);
    if (limits.length > 0 && !isHead) this.#parts.egress.admit(limits);
    if (store.files && this.#handsOver(asked, head, store.files)) {
      // What others send for us counts whole.
      if (!isHead) {
        this.#parts.egress.count(limits, file.size);
        usage.countDownload(file, asked.actor, file.size);
      }
      downloads.count(isHead ? 'head' : 'handed-over', isHead ? 0 : file.size);
      return undefined;
    }
    if (file.delivery === 'redirect' && store.presign && !isHead && !refersToNeighbours(file.contentType)) {
      this.#parts.egress.count(limits, file.size);
      downloads.count('redirect', file.size);
      usage.countDownload(file, asked.actor, file.size);
      return redirect(asked, head, store.presign);
    }
    const condition = evaluatePreconditions(request.raw.headers, head.validators);
    if (condition === 'failed') throw new CarcosaError('precondition_failed');
    if (condition === 'not-modified') {
      downloads.count('not-modified', 0);
      return answerNotModified(asked, head);
    }
    const plan = this.#plan(asked, head, isHead);
    if (isHead || plan.length === 0) {
      writeHead(asked, head, plan);
      reply.raw.end();
      downloads.count(isHead ? 'head' : 'whole', 0);
      return undefined;
    }
    downloads.count(plan.status === 206 ? 'range' : 'whole', plan.length);
    if (limits.length > 0 || plan.length > COUNTED_AT_ONCE) this.#meter(asked, limits, plan.length);
    else usage.countDownload(file, asked.actor, plan.length);
    const sending = this.#send(asked, store, { pieces: plan.pieces, writeHead: () => writeHead(asked, head, plan) });
    return sending?.then(() => {
      // Whoever went away before the first byte has no answer to wait for.
      if (!reply.sent) reply.hijack();
    });
  }

  /** Counts what really went out of an answer, when it has ended: at most its body. */
  #meter({ reply, opened, actor }: FileRequest, limits: readonly EgressLimit[], length: number): void {
    const response: ServerResponse = reply.raw;
    const { socket } = response;
    const before = socket?.bytesWritten ?? 0;
    response.once('close', () => {
      const sent = Math.min(length, (socket?.bytesWritten ?? 0) - before);
      this.#parts.egress.count(limits, sent);
      if (sent > 0) this.#parts.usage.countDownload(opened.file, actor, sent);
    });
  }

  /** Which bytes are wanted. HEAD has no ranges: RFC 9110, section 14.2, defines them for GET alone. */
  #plan({ request, reply, opened }: FileRequest, head: FileHead, isHead: boolean): Plan {
    const { size } = opened.file;
    const { range, 'if-range': ifRange } = request.raw.headers;
    const applies =
      range !== undefined &&
      !isHead &&
      (ifRange === undefined || rangeStillApplies(String(ifRange), head.validators, this.#parts.clock.now()));
    const ranges = applies ? requestedRanges(range, size) : 'whole';
    if (ranges === 'unsatisfiable') {
      reply.header('Content-Range', `bytes */${size}`);
      throw new CarcosaError('range_not_satisfiable', { details: { size } });
    }
    const boundary = (): string => randomToken(this.#parts.random, BOUNDARY_LENGTH);
    return planBody({ size, contentType: head.contentType }, ranges, boundary);
  }

  #send({ reply, opened }: FileRequest, store: ObjectStore, body: Body): void | Promise<void> {
    const { storageKey, size } = opened.file;
    if (!store.files) return sendStream({ store, storageKey }, reply.raw, body);
    const send = (file: OpenFile): void | Promise<void> => {
      if (file.size === size) return sendFile({ file, reader: this.#reader, buffers: this.#buffers }, reply.raw, body);
      file.release();
      const message = 'The bucket holds other bytes than were stored.';
      throw new CarcosaError('storage_unavailable', { message, retryable: false });
    };
    const found = store.files.open(storageKey);
    return found instanceof Promise ? found.then(send) : send(found);
  }

  /** Lets the proxy in front of us send the file, where that is configured. It answers conditions and ranges itself. */
  #handsOver(asked: FileRequest, head: FileHead, files: FilesCapability): boolean {
    const { sendfile } = this.#parts;
    if (sendfile.mode === 'off') return false;
    const headers = sendfileHeaders(sendfile, files.locate(asked.opened.file.storageKey), head.presentation);
    if (!headers) return false;
    const own = answerHeaders(asked, head);
    own.push('Content-Type', head.contentType, 'Content-Length', '0', ...headers);
    asked.reply.raw.writeHead(200, own);
    asked.reply.hijack();
    asked.reply.raw.end();
    return true;
  }
}

function writeHead(asked: FileRequest, head: FileHead, { status, contentType, length, range }: Plan): void {
  const headers = answerHeaders(asked, head);
  headers.push('Content-Type', contentType, 'Content-Length', String(length));
  if (range !== null) headers.push('Content-Range', range);
  // All at once: headers that are set one by one double the time that this takes.
  asked.reply.raw.writeHead(status, headers);
  asked.reply.hijack();
}

function answerNotModified(asked: FileRequest, head: FileHead): void {
  const { request, reply } = asked;
  reply.raw.writeHead(304, [...commonHeaders(request), ...head.validation, 'Cache-Control', cacheControlOf(asked)]);
  reply.hijack();
  reply.raw.end();
}

/** Sends the client to the provider. Not for HEAD: the address is signed for GET. */
async function redirect(asked: FileRequest, head: FileHead, presign: PresignCapability): Promise<void> {
  const { request, reply, opened } = asked;
  const expiresIn = Math.min(REDIRECT_LIFETIME, Math.max(1, opened.expiresIn ?? REDIRECT_LIFETIME));
  const key = opened.file.storageKey;
  const { url } = await presign
    .signGet({ key, expiresIn, contentType: head.contentType, contentDisposition: dispositionOf(asked, head) })
    .catch((error) => {
      throw storageFailure(error);
    });
  const headers = [...commonHeaders(request), 'Location', url, 'Cache-Control', 'no-store', 'Content-Length', '0'];
  reply.raw.writeHead(302, headers);
  reply.hijack();
  reply.raw.end();
}

function answerHeaders(asked: FileRequest, head: FileHead): string[] {
  const headers = commonHeaders(asked.request);
  headers.push(...head.description, 'Cache-Control', cacheControlOf(asked));
  headers.push('Content-Disposition', dispositionOf(asked, head));
  return headers;
}

function cacheControlOf({ opened, versioned, shared }: FileRequest): string {
  const visibility = shared ? opened.file.visibility : 'private';
  return cacheControl({ visibility, versioned, expiresIn: opened.expiresIn });
}

function dispositionOf({ opened, download }: FileRequest, head: FileHead): string {
  return download === null ? head.disposition : downloadDisposition(opened.file, download);
}

function assertNotForOurOrigin(request: FastifyRequest, contentType: string): void {
  const { 'sec-fetch-site': site, 'sec-fetch-dest': destination } = request.headers;
  const fetched = { site: site?.toString(), destination: destination?.toString() };
  if (wouldRunOnOurOrigin(contentType, fetched)) {
    throw new CarcosaError('forbidden', { message: 'Uploaded scripts do not run on the origin of this server.' });
  }
}
