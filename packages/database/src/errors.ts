import { CarcosaError, type CarcosaErrorOptions, type ErrorCode, isCarcosaError } from '@carcosa/kernel';

interface Meaning {
  readonly code: ErrorCode;
  /** Where it differs from the registry's. */
  readonly retryable?: boolean;
}

/**
 * What a SQLSTATE means to a caller (PostgreSQL's manual, appendix A). Five characters are looked up before their class,
 * the first two. What is not here is a fault of ours: `internal_error`.
 */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  // A value that a client sent: a NUL or a broken character, too long, out of range.
  '22001': { code: 'invalid_request' },
  '22003': { code: 'invalid_request' },
  '22007': { code: 'invalid_request' },
  '22008': { code: 'invalid_request' },
  '22021': { code: 'invalid_request' },
  '22P05': { code: 'invalid_request' },
  // What the change needs is gone, or exists already.
  '23503': { code: 'conflict' },
  '23505': { code: 'conflict' },
  '23P01': { code: 'conflict' },
  // Two transactions met: the same again may succeed.
  '40001': { code: 'conflict', retryable: true },
  '40P01': { code: 'conflict', retryable: true },
  '55P03': { code: 'conflict', retryable: true },
  '53100': { code: 'storage_full' },
  '53300': { code: 'database_unavailable' },
  '53': { code: 'overloaded' },
  '57014': { code: 'request_timeout' },
  '57': { code: 'database_unavailable' },
  '08': { code: 'database_unavailable' },
  // Refused log-in, unknown database: after a start that went well, something is being changed over there.
  '28': { code: 'database_unavailable' },
  '3D000': { code: 'database_unavailable' },
  // A server that became a replica, or whose disk fails.
  '25006': { code: 'database_unavailable' },
  '25P03': { code: 'database_unavailable' },
  '58030': { code: 'database_unavailable' },
};

/** What the system says when a server cannot be reached, or a connection breaks. */
const CONNECTION_CODES = new Set(
  'ECONNREFUSED ECONNRESET ECONNABORTED EPIPE ENOTFOUND EAI_AGAIN ETIMEDOUT EHOSTUNREACH ENETUNREACH ENETDOWN ERR_SOCKET_CLOSED'.split(
    ' ',
  ),
);

/** Errors that `pg` makes itself have no code. */
const CONNECTION_MESSAGES =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|Cannot use a pool after|Query read timeout|Connection ended|The server does not support SSL)/;
const POOL_EXHAUSTED = 'timeout exceeded when trying to connect';

/** The SQLSTATE of an error of the server, also where Drizzle has wrapped it. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    if ('severity' in inner && 'code' in inner && typeof inner.code === 'string') return inner.code;
  }
  return undefined;
}

/** Whether `error` is the server's refusal of a second row with the same key, of that constraint if one is named. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    if ('code' in inner && inner.code === '23505') {
      return constraint === undefined || ('constraint' in inner && inner.constraint === constraint);
    }
  }
  return false;
}

/**
 * What an error of the database means to our callers; the original is its cause. A {@link CarcosaError} is returned as it
 * is. Nothing of the statement or the server's message reaches the message or the details.
 */
export function toDatabaseError(error: unknown): CarcosaError {
  if (isCarcosaError(error)) return error;
  const { code, retryable } = meaningOf(error);
  const options: CarcosaErrorOptions = { cause: error };
  if (retryable !== undefined) options.retryable = retryable;
  return new CarcosaError(code, options);
}

/** Whether the error came from the database or the way to it, rather than from our own code. */
export function isDatabaseError(error: unknown): boolean {
  if (sqlStateOf(error) !== undefined) return true;
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    if (inner.message === POOL_EXHAUSTED || isConnectionError(inner)) return true;
  }
  return false;
}

function meaningOf(error: unknown): Meaning {
  const state = sqlStateOf(error);
  if (state !== undefined)
    return MEANINGS[state] ?? MEANINGS[state.slice(0, 2)] ?? { code: 'internal_error', retryable: false };
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    if (inner.message === POOL_EXHAUSTED) return { code: 'overloaded' };
    if (isConnectionError(inner)) return { code: 'database_unavailable' };
  }
  return { code: 'internal_error', retryable: false };
}

/** Whether the server could not be reached or the connection broke, as the system or the driver says it. */
function isConnectionError(error: Error): boolean {
  // Node tries every address of a name and reports what each said.
  if (error instanceof AggregateError)
    return error.errors.some((one) => one instanceof Error && isConnectionError(one));
  if ('code' in error && typeof error.code === 'string') {
    if (CONNECTION_CODES.has(error.code)) return true;
    // A socket that is absent or closed to us; of a file, these say something else.
    return (error.code === 'ENOENT' || error.code === 'EACCES') && 'syscall' in error && error.syscall === 'connect';
  }
  return CONNECTION_MESSAGES.test(error.message);
}
