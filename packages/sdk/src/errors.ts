import type { ErrorCode } from './openapi.ts';

/** What can go wrong before an answer of the server has come, or instead of it. */
export type ClientErrorCode =
  /** No answer: offline, cut off, refused, or stalled. */
  | 'network_error'
  /** By `cancel()` or an AbortSignal. */
  | 'cancelled'
  /** The answer is not one of Carcosa: a proxy's page, perhaps, or another address. */
  | 'invalid_response'
  /** The bytes to be sent cannot be read, or are not as many any more. */
  | 'source_unreadable'
  /** A setting or argument of the call does not work out. */
  | 'invalid_argument'
  /** Your backend refused the upload: the message is its own. */
  | 'route_refused'
  /** Something else was thrown, by a token provider perhaps: it is the `cause`. */
  | 'unexpected';

export type CarcosaErrorCode = ErrorCode | ClientErrorCode;

export interface CarcosaErrorFacts {
  /** Of the HTTP answer; absent where there was none. */
  status?: number;
  details?: unknown;
  requestId?: string;
  /** Seconds. */
  retryAfter?: number;
  cause?: unknown;
}

const PASSING: ReadonlySet<string> = new Set([
  'network_error',
  'upload_interrupted',
  'upload_fenced',
  'idempotency_in_progress',
]);

/** Every rejection of this package. `code` is one of docs/errors.md, or of {@link ClientErrorCode}. */
export class CarcosaError extends Error {
  override readonly name = 'CarcosaError';
  readonly code: CarcosaErrorCode;
  readonly status: number | undefined;
  readonly details: unknown;
  /** Finds the request in the server's log. */
  readonly requestId: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: CarcosaErrorCode, message: string, facts: CarcosaErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.status = facts.status;
    this.details = facts.details;
    this.requestId = facts.requestId;
    this.retryAfter = facts.retryAfter;
  }

  /** Whether the same call may succeed later without a change. */
  get retryable(): boolean {
    const { status = 0, code } = this;
    return PASSING.has(code) || status === 408 || status === 423 || status === 429 || status >= 500;
  }
}

/** Whether something that was caught is of this package, and has that code. */
export function isCarcosaError(error: unknown, code?: CarcosaErrorCode): error is CarcosaError {
  return error instanceof CarcosaError && (code === undefined || error.code === code);
}

/** No answer came. */
export function noAnswer(error: unknown): CarcosaError {
  const { message, cause } = (error ?? {}) as { message?: string; cause?: { message?: string } };
  // What `fetch` says itself is no more than that it failed.
  const why = cause?.message || message || String(error);
  return new CarcosaError('network_error', `The server could not be reached: ${why}`, { cause: error });
}

/** Whatever was caught as an error of ours. */
export function toCarcosaError(error: unknown): CarcosaError {
  if (error instanceof CarcosaError) return error;
  return new CarcosaError('unexpected', (error as Error | undefined)?.message ?? String(error), { cause: error });
}

export const cancelled = (): CarcosaError => new CarcosaError('cancelled', 'This was cancelled.');

/** The error that an answer tells of. */
export function errorOfAnswer(status: number, text: string, header: (name: string) => string | null): CarcosaError {
  const seconds = Number(header('retry-after') ?? Number.NaN);
  const retryAfter = Number.isFinite(seconds) ? { retryAfter: seconds } : {};
  try {
    const { error, message, details, requestId } = JSON.parse(text);
    if (typeof error === 'string' && typeof message === 'string')
      return new CarcosaError(error as ErrorCode, message, { status, details, requestId, ...retryAfter });
  } catch {
    // Not ours: see below.
  }
  const message = `The answer (${status}) is not one of Carcosa: ${text.slice(0, 200) || 'it is empty'}`;
  return new CarcosaError('invalid_response', message, { status, ...retryAfter });
}
