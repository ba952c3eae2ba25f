import { CarcosaError } from '@carcosa/kernel';

/** What the SDK's errors have in common, as far as it is told here. */
interface ProviderError {
  name: string;
  message: string;
  /** Of the socket (ECONNRESET) for failures below HTTP. */
  code?: string;
  Code?: string;
  $metadata?: { httpStatusCode?: number };
  $response?: { headers?: Record<string, string> };
}

const MISCONFIGURED = new Set([
  'NoSuchBucket',
  'InvalidBucketName',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'AccessDenied',
  'AllAccessDisabled',
  'AccountProblem',
  'AuthorizationHeaderMalformed',
  'PermanentRedirect',
  'RequestTimeTooSkewed',
  'ExpiredToken',
  'InvalidToken',
  'CredentialsProviderError',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'EPROTO',
]);
const FULL = new Set([
  'QuotaExceeded',
  'InsufficientCapacity',
  'InsufficientStorage',
  'XMinioStorageFull',
  'StorageFull',
]);
const GONE = new Set(['NoSuchKey', 'NoSuchUpload', 'NotFound']);
const CORRUPT = new Set([
  'BadDigest',
  'InvalidDigest',
  'InvalidPart',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
]);

/** The provider's word for what went wrong, such as "NoSuchKey", else the socket's, such as "ECONNRESET". */
export function providerCode(error: unknown): string {
  const { Code, name, code } = (error ?? {}) as Partial<ProviderError>;
  return Code ?? (name && name !== 'Error' && name !== 'Unknown' ? name : (code ?? name ?? 'unknown'));
}

export function httpStatus(error: unknown): number | undefined {
  return (error as ProviderError | undefined)?.$metadata?.httpStatusCode;
}

/** Whether a condition on the request (If-Match, If-None-Match) did not hold, or lost a race. */
export function isPreconditionFailure(error: unknown): boolean {
  return httpStatus(error) === 412 || providerCode(error) === 'ConditionalRequestConflict';
}

/** What the provider said, or that it said nothing, as one of our errors. An abort that was asked for stays what it is. */
export function toStorageError(error: unknown): unknown {
  if (error instanceof CarcosaError) return error;
  if ((error as ProviderError).name === 'AbortError') return error;
  const code = providerCode(error);
  const status = httpStatus(error);
  if (FULL.has(code) || status === 507) return new CarcosaError('storage_full', { cause: error });
  if (MISCONFIGURED.has(code) || status === 401 || status === 403 || status === 301) {
    return new CarcosaError('storage_misconfigured', {
      message: `The bucket refuses us (${code}): check its name, region, endpoint and credentials.`,
      cause: error,
    });
  }
  if (GONE.has(code)) return new CarcosaError('not_found', { cause: error });
  if (code === 'InvalidRange') return new CarcosaError('range_not_satisfiable', { cause: error });
  if (CORRUPT.has(code)) {
    return new CarcosaError('checksum_mismatch', {
      message: `The bucket did not receive the bytes that were sent (${code}).`,
      cause: error,
    });
  }
  return unavailable(error, code, status);
}

function unavailable(error: unknown, code: string, status: number | undefined): CarcosaError {
  // Any other 4xx means that the provider does not do what we ask: the same request will be refused again.
  const refused = status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
  const retryAfter = Number((error as ProviderError).$response?.headers?.['retry-after']);
  return new CarcosaError('storage_unavailable', {
    message: refused
      ? `The bucket refuses a request (${code}).`
      : `The bucket does not answer at present (${code}); retry later.`,
    retryable: !refused,
    ...(retryAfter > 0 ? { retryAfter } : {}),
    cause: error,
  });
}
