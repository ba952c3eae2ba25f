import {
  cacheControl,
  contentRange,
  evaluatePreconditions,
  multipartRanges,
  type OpenedFile,
  rangeStillApplies,
  requestedRanges,
  type StoreRegistry,
  wouldRunOnOurOrigin,
} from '@carcosa/domain';
import { CarcosaError, type Clock, type Random, randomToken } from '@carcosa/kernel';
import type { FilesCapability, ObjectStore, OpenFile, PresignCapability } from '@carcosa/storage/port';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { commonHeaders } from '../plugins/request-context.ts';
import { type Body, type BodyPiece, storageFailure } from './body.ts';
import { BufferPool } from './buffer-pool.ts';
import { downloadDisposition, type FileHead, headOf } from './head.ts';
import { PacedReader } from './paced-reader.ts';
import { sendFile } from './send-file.ts';
import { sendStream } from './send-stream.ts';
import { type Sendfile, sendfileHeaders } from './sendfile.ts';

export interface FileServerParts {
  stores: StoreRegistry;
  clock: Clock;
  random: Random;
  sendfile: Sendfile;
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
}

/** Seconds for which the provider's address is good that a client is redirected to. */
const REDIRECT_LIFETIME = 3600;
const BOUNDARY_LENGTH = 24;

/**
 * Answers GET and HEAD for files by RFC 9110: conditions, ranges, and the bytes by the shortest way that the bucket allows.
 */
export class FileServer {
  readonly #parts: FileServerParts;
  readonly #reader = new PacedReader();
  readonly #buffers = new BufferPool();

  constructor(parts: FileServerParts) {
    this.#parts = parts;
  }

  /**
   * Answers, or throws while nothing is sent.
   * @throws CarcosaError `not_found` when the object was deleted since the file was looked up, `range_not_satisfiable`,
   * `precondition_failed`, `forbidden`, `storage_unavailable`, `storage_misconfigured`
   */
  async serve(asked: FileRequest): Promise<void> {
    const { request, opened } = asked;
    const { file } = opened;
    const head = headOf(file);
    assertNotForOurOrigin(request, file.contentType);
    const store = await this.#parts.stores.storeFor(file.bucketId);
    if (store.files && this.#handsOver(asked, head, store.files)) return;
    if (file.delivery === 'redirect' && store.presign && request.method === 'GET')
      return await this.#redirect(asked, head, store.presign);
    const condition = evaluatePreconditions(request.headers, head.validators);
    if (condition === 'failed') throw new CarcosaError('precondition_failed');
    if (condition === 'not-modified') return answerNotModified(asked, head);
    const plan = this.#plan(asked, head);
    if (request.method === 'HEAD' || plan.length === 0) {
      writeHead(asked, head, plan);
      asked.reply.raw.end();
      return;
    }
    await this.#send(asked, store, { pieces: plan.pieces, writeHead: () => writeHead(asked, head, plan) });
    // Whoever went away before the first byte has no answer to wait for.
    if (!asked.reply.sent) asked.reply.hijack();
  }

  /** Which bytes, and what is said of them. HEAD has no ranges: RFC 9110, section 14.2, defines them for GET alone. */
  #plan({ request, reply, opened }: FileRequest, head: FileHead): Plan {
    const { size } = opened.file;
    const { range } = request.headers;
    const applies = request.method === 'GET' && range !== undefined && this.#rangeApplies(request, head);
    const ranges = applies ? requestedRanges(range, size) : 'whole';
    if (ranges === 'unsatisfiable') {
      reply.header('Content-Range', `bytes */${size}`);
      throw new CarcosaError('range_not_satisfiable', { details: { size } });
    }
    if (ranges === 'whole')
      return {
        status: 200,
        contentType: head.contentType,
        length: size,
        pieces: [{ start: 0, end: size - 1 }],
        range: null,
      };
    const [only] = ranges;
    if (ranges.length === 1 && only) {
      const length = only.end - only.start + 1;
      return { status: 206, contentType: head.contentType, length, pieces: ranges, range: contentRange(only, size) };
    }
    const boundary = randomToken(this.#parts.random, BOUNDARY_LENGTH);
    const body = multipartRanges(ranges, { size, contentType: head.contentType }, boundary);
    const pieces = [...body.pieces.flatMap((piece): BodyPiece[] => [piece.head, piece.range]), body.tail];
    return { status: 206, contentType: body.contentType, length: body.length, pieces, range: null };
  }

  #rangeApplies(request: FastifyRequest, head: FileHead): boolean {
    const ifRange = request.headers['if-range'];
    return rangeStillApplies(
      typeof ifRange === 'string' ? ifRange : undefined,
      head.validators,
      this.#parts.clock.now(),
    );
  }

  #send({ reply, opened }: FileRequest, store: ObjectStore, body: Body): void | Promise<void> {
    const { storageKey, size } = opened.file;
    if (!store.files) return sendStream({ store, storageKey }, reply.raw, body);
    const send = (file: OpenFile): void | Promise<void> => {
      if (file.size === size) return sendFile({ file, reader: this.#reader, buffers: this.#buffers }, reply.raw, body);
      file.release();
      throw new CarcosaError('storage_unavailable', {
        message: 'The bucket holds other bytes than were stored.',
        retryable: false,
      });
    };
    const found = store.files.open(storageKey);
    return found instanceof Promise ? found.then(send) : send(found);
  }

  /** Lets the proxy in front of us send the file, where that is configured. It answers conditions and ranges itself. */
  #handsOver(asked: FileRequest, head: FileHead, files: FilesCapability): boolean {
    const headers = sendfileHeaders(
      this.#parts.sendfile,
      files.locate(asked.opened.file.storageKey),
      head.presentation,
    );
    if (!headers) return false;
    const own = [
      ...answerHeaders(asked, head),
      'Content-Type',
      head.contentType,
      'Content-Disposition',
      dispositionOf(asked, head),
    ];
    asked.reply.raw.writeHead(200, [...own, ...headers, 'Content-Length', '0']);
    asked.reply.hijack();
    asked.reply.raw.end();
    return true;
  }

  /** Sends the client to the provider. Not for HEAD: the address is signed for GET. */
  async #redirect(asked: FileRequest, head: FileHead, presign: PresignCapability): Promise<void> {
    const { file, expiresIn } = asked.opened;
    const { url } = await presign
      .signGet({
        key: file.storageKey,
        expiresIn: Math.min(REDIRECT_LIFETIME, Math.max(1, expiresIn ?? REDIRECT_LIFETIME)),
        contentType: head.contentType,
        contentDisposition: dispositionOf(asked, head),
      })
      .catch((error) => {
        throw storageFailure(error);
      });
    const { request, reply } = asked;
    reply.raw.writeHead(302, [
      ...commonHeaders(request),
      'Location',
      url,
      'Cache-Control',
      'no-store',
      'Content-Length',
      '0',
    ]);
    reply.hijack();
    reply.raw.end();
  }
}

interface Plan {
  readonly status: 200 | 206;
  readonly contentType: string;
  /** Bytes of the body. */
  readonly length: number;
  readonly pieces: readonly BodyPiece[];
  /** Content-Range, for a single range. */
  readonly range: string | null;
}

function writeHead(asked: FileRequest, head: FileHead, plan: Plan): void {
  const headers = [
    ...answerHeaders(asked, head),
    'Content-Type',
    plan.contentType,
    'Content-Disposition',
    dispositionOf(asked, head),
    'Content-Length',
    String(plan.length),
  ];
  if (plan.range !== null) headers.push('Content-Range', plan.range);
  // All at once: headers that are set one by one double the time that this takes.
  asked.reply.raw.writeHead(plan.status, headers);
  asked.reply.hijack();
}

function answerNotModified(asked: FileRequest, head: FileHead): void {
  const { request, reply } = asked;
  reply.raw.writeHead(304, [...commonHeaders(request), ...head.validation, 'Cache-Control', cacheControlOf(asked)]);
  reply.hijack();
  reply.raw.end();
}

function answerHeaders(asked: FileRequest, head: FileHead): string[] {
  return [
    ...commonHeaders(asked.request),
    ...head.validation,
    ...head.description,
    'Cache-Control',
    cacheControlOf(asked),
  ];
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
