/** What a client did wrong, or an app wants it told: throw it from a middleware, with any code. */
export class UploadError extends Error {
  override readonly name = 'UploadError';
  /** Such as `file_too_large`. */
  readonly code: string;
  /** Of the answer. */
  readonly status: number;
  readonly details: unknown;

  constructor(message: string, options: { code?: string; status?: number; details?: unknown; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = options.code ?? 'upload_refused';
    this.status = options.status ?? 403;
    this.details = options.details;
  }
}

/** What whoever wrote the router has to mend. */
export class RouterConfigError extends Error {
  override readonly name = 'RouterConfigError';
}
