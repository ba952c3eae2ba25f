import type { IncomingMessage } from 'node:http';
import type { IdGenerator } from '@carcosa/kernel';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { App } from '../types.ts';

const SANE_REQUEST_ID = /^[A-Za-z0-9._-]{8,128}$/;

/** What scripts of other origins may read of our answers. */
const EXPOSED_HEADERS = [
  'ETag',
  'Location',
  'Content-Disposition',
  'Content-Range',
  'Accept-Ranges',
  'Retry-After',
  'X-Request-Id',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'X-Cache',
  'X-Processing-Time',
  'Idempotency-Replayed',
  'Carcosa-File-Id',
  'Carcosa-File-Key',
  'Tus-Resumable',
  'Tus-Version',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Checksum-Algorithm',
  'Upload-Offset',
  'Upload-Length',
  'Upload-Defer-Length',
  'Upload-Metadata',
  'Upload-Expires',
  'Upload-Concat',
].join(', ');

/** Caches keep answers of files for everyone, so that these cannot depend on who asked first. */
const EXPOSED_OF_FILES = 'ETag, Content-Disposition, Content-Range, Accept-Ranges, X-Request-Id';

/** Where files are served: see routes/serve.ts. */
const SERVED_PREFIX = '/f/';

const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** The id that a request came with, if it is fit for a log line, or a new one. */
export const requestIdOf =
  (ids: IdGenerator) =>
  (request: IncomingMessage): string => {
    const given = request.headers['x-request-id'];
    return typeof given === 'string' && SANE_REQUEST_ID.test(given) ? given : ids.next('request');
  };

/**
 * Headers that every answer carries, and the answer to CORS preflights: any origin, never with credentials, so that a page
 * elsewhere can do only what a key that it holds can do.
 */
export function addRequestContext(app: App): void {
  app.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => {
    const { headers, method, url } = request.raw;
    // Downloads write them with the rest of their head: one header set apart makes Node take a way that costs 10 µs more.
    if (url?.startsWith(SERVED_PREFIX) && method !== 'OPTIONS') return done();
    setCommonHeaders(request, reply);
    if (request.raw.method === 'OPTIONS' && headers['access-control-request-method'] !== undefined) {
      answerPreflight(headers['access-control-request-headers'], reply);
      return;
    }
    done();
  });
}

/** The same headers as names and values in turn, for answers that are written all at once. */
export function commonHeaders(request: FastifyRequest): string[] {
  return ['X-Request-Id', request.id, 'Access-Control-Allow-Origin', '*', 'Access-Control-Expose-Headers', EXPOSED_OF_FILES];
}

export function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  const response = reply.raw;
  response.setHeader('X-Request-Id', request.id);
  response.setHeader('Access-Control-Allow-Origin', '*');
  if (request.raw.headers.origin !== undefined) response.setHeader('Access-Control-Expose-Headers', EXPOSED_HEADERS);
}

function answerPreflight(requestedHeaders: string | undefined, reply: FastifyReply): void {
  reply.header('Access-Control-Allow-Methods', ALLOWED_METHODS);
  if (requestedHeaders !== undefined) reply.header('Access-Control-Allow-Headers', requestedHeaders);
  reply.header('Access-Control-Max-Age', '86400').header('Vary', 'Access-Control-Request-Headers');
  reply.code(204).send();
}
