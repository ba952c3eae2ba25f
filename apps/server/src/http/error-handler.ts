import type { ErrorBody } from '@carcosa/contracts';
import { isDatabaseError, toDatabaseError } from '@carcosa/database';
import { actorId } from '@carcosa/domain';
import { CarcosaError, type Clock, ERROR_CODES, type ErrorCode, type Logger, toIsoString } from '@carcosa/kernel';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { JSON_TYPE } from './envelope.ts';
import { ERROR_STATUS } from './error-status.ts';

/** Errors of Fastify that a client can cause, and what they are in our words. */
const FASTIFY_CODES: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'length_mismatch',
  FST_ERR_BAD_URL: 'invalid_request',
};

export interface ErrorContext {
  clock: Clock;
  logger: Logger;
  /** Told of who had no right credential; may answer with another error. */
  countStranger?: (request: FastifyRequest, reply: FastifyReply) => CarcosaError | null | Promise<CarcosaError | null>;
  /** Told of every error answer, for the audit log and the metrics; must not wait. */
  noteError?: (request: FastifyRequest, code: ErrorCode) => void;
}

/** Writes any error as the API's error answer. What we did not foresee becomes `internal_error`, and only the log sees it. */
export function errorHandler({ clock, logger, countStranger, noteError }: ErrorContext) {
  return (thrown: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): void => {
    const error = toCarcosaError(thrown);
    const counted = error.code === 'unauthenticated' && countStranger ? countStranger(request, reply) : null;
    if (counted instanceof Promise) {
      counted.then(
        (other) => answer(other ?? error, request, reply),
        () => answer(error, request, reply),
      );
    } else answer(counted ?? error, request, reply, thrown);
  };

  function answer(error: CarcosaError, request: FastifyRequest, reply: FastifyReply, thrown: Error = error): void {
    const status = request.routeOptions.config.errorStatus?.[error.code] ?? ERROR_STATUS[error.code];
    noteError?.(request, error.code);
    if (status >= 500) {
      const fields = {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url,
        // Null before it is known who asks, undefined where a test has no authentication.
        ...(request.actor ? { actor: actorId(request.actor) } : {}),
        err: thrown,
      };
      if (error.code === 'internal_error') logger.error(fields, 'request failed');
      else logger.warn(fields, 'request failed');
    }
    if (reply.raw.headersSent) {
      // The status line is out: cutting the connection is the only honest way left to say that the body is not whole.
      reply.raw.destroy();
      return;
    }
    const retryAfter = error.retryAfter ?? (status === 503 ? 1 : undefined);
    if (retryAfter !== undefined) reply.header('Retry-After', String(Math.max(1, Math.ceil(retryAfter))));
    // What is left of a body that is too slow would hold the connection for as long as it likes.
    if (status === 408) reply.header('Connection', 'close');
    if (status === 401) reply.header('WWW-Authenticate', 'Bearer');
    reply.code(status).header('Content-Type', JSON_TYPE).header('Cache-Control', 'no-store');
    reply.send(JSON.stringify({ ...errorBody(error, request.id, clock), status }));
  }
}

/** The body of an error answer. */
export function errorBody(error: CarcosaError, requestId: string, clock: Clock): ErrorBody {
  return {
    error: error.code,
    message: error.message,
    status: ERROR_STATUS[error.code],
    timestamp: toIsoString(clock.now()),
    requestId,
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}

/** Finds the code of the registry that says best what was thrown. */
export function toCarcosaError(thrown: unknown): CarcosaError {
  if (thrown instanceof CarcosaError) return thrown;
  if (thrown instanceof z.ZodError) return invalidRequest(thrown);
  if (isDatabaseError(thrown)) return toDatabaseError(thrown);
  const { code, statusCode, message } = thrown as Partial<FastifyError>;
  const known = code === undefined ? undefined : FASTIFY_CODES[code];
  if (known) return new CarcosaError(known);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500 && code?.startsWith('FST_')) {
    return new CarcosaError('invalid_request', message === undefined ? {} : { message });
  }
  return new CarcosaError('internal_error', { cause: thrown });
}

/** One entry for each field that is wrong. A schema can name a more particular code in an issue's `params.code`. */
function invalidRequest(error: z.ZodError): CarcosaError {
  const code = error.issues.map(particularCode).find((found) => found !== undefined) ?? 'invalid_request';
  const fields = error.issues.slice(0, 20).map((issue) => ({ field: issue.path.join('.'), message: issue.message }));
  const first = fields[0];
  const message = first ? `${first.field ? `${first.field}: ` : ''}${first.message}` : ERROR_CODES[code].message;
  return new CarcosaError(code, { message, details: { fields } });
}

function particularCode(issue: z.core.$ZodIssue): ErrorCode | undefined {
  if (issue.code !== 'custom') return undefined;
  const code: unknown = issue.params?.code;
  return typeof code === 'string' && code in ERROR_CODES ? (code as ErrorCode) : undefined;
}
