import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

/** What a {@link CarcosaError} can carry beside its code. */
export interface CarcosaErrorOptions {
  /** For a person: what is wrong and how to mend it. Default: the registry's message of the code. */
  message?: string;
  /** Machine-readable particulars; they reach the client, so never a secret or a stack. */
  details?: unknown;
  /** Whether the same call may succeed later. Default: the registry's value of the code. */
  retryable?: boolean;
  /** Seconds after which a retry makes sense; becomes `Retry-After`. */
  retryAfter?: number;
  cause?: unknown;
}

/** The only error that crosses a package boundary on purpose; its code is from {@link ERROR_CODES}. */
export class CarcosaError extends Error {
  override readonly name = 'CarcosaError';
  readonly code: ErrorCode;
  readonly details: unknown;
  readonly retryable: boolean;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, options: CarcosaErrorOptions = {}) {
    const entry = ERROR_CODES[code];
    super(options.message ?? entry.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details;
    this.retryable = options.retryable ?? entry.retryable;
    this.retryAfter = options.retryAfter;
  }
}

export function isCarcosaError(error: unknown, code?: ErrorCode): error is CarcosaError {
  return error instanceof CarcosaError && (code === undefined || error.code === code);
}
