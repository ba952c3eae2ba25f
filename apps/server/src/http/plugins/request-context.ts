import type { IncomingMessage } from 'node:http';
import type { IdGenerator } from '@carcosa/kernel';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { App } from '../types.ts';
import { rateLimitHeaders } from './rate-limit.ts';

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
  'X-Ut-Range-Start',
].join(', ');

/** Caches keep answers of files for everyone, so that these cannot depend on who asked first. */
const EXPOSED_OF_FILES = 'ETag, Content-Disposition, Content-Range, Accept-Ranges, X-Request-Id';

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
    const { headers, method } = request.raw;
    setCommonHeaders(request, reply);
    if (method === 'OPTIONS' && headers['access-control-request-method'] !== undefined) {
      answerPreflight(headers['access-control-request-headers'], reply);
      return;
    }
    done();
  });
}

/** The same headers as names and values in turn, for answers that are written all at once. */
export function commonHeaders(request: Pick<FastifyRequest, 'id' | 'rateLimit'>): string[] {
  const headers = [
    'X-Request-Id',
    request.id,
    'Access-Control-Allow-Origin',
    '*',
    'Access-Control-Expose-Headers',
    EXPOSED_OF_FILES,
  ];
  if (request.rateLimit) headers.push(...rateLimitHeaders(request.rateLimit));
  return headers;
}

// On Fastify's reply, which writes all of the head at once: a header set on Node's own response makes that take longer, and a
// handler that writes the head itself starts from nothing.
export function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('X-Request-Id', request.id);
  reply.header('Access-Control-Allow-Origin', '*');
  if (request.raw.headers.origin !== undefined) reply.header('Access-Control-Expose-Headers', EXPOSED_HEADERS);
}

function answerPreflight(requestedHeaders: string | undefined, reply: FastifyReply): void {
  reply.header('Access-Control-Allow-Methods', ALLOWED_METHODS);
  if (requestedHeaders !== undefined) reply.header('Access-Control-Allow-Headers', requestedHeaders);
  reply.header('Access-Control-Max-Age', '86400').header('Vary', 'Access-Control-Request-Headers');
  reply.code(204).send();
}
