import { CarcosaError } from '@carcosa/kernel';
import { describe, expect, it } from 'vitest';
import { isPreconditionFailure, toStorageError } from './errors.ts';

const answered = (name: string, status: number, headers: Record<string, string> = {}) =>
  Object.assign(new Error(name), { name, $metadata: { httpStatusCode: status }, $response: { headers } });
const broken = (code: string) => Object.assign(new Error(code), { code });

describe('what a provider says', () => {
  it.each([
    [answered('NoSuchKey', 404), 'not_found', false],
    [answered('NotFound', 404), 'not_found', false],
    [answered('NoSuchUpload', 404), 'not_found', false],
    [answered('NoSuchBucket', 404), 'storage_misconfigured', false],
    [answered('InvalidAccessKeyId', 403), 'storage_misconfigured', false],
    [answered('SignatureDoesNotMatch', 403), 'storage_misconfigured', false],
    // As to a HEAD, which has no body that would name the error.
    [answered('Unknown', 403), 'storage_misconfigured', false],
    [answered('PermanentRedirect', 301), 'storage_misconfigured', false],
    [answered('CredentialsProviderError', 0), 'storage_misconfigured', false],
    [answered('QuotaExceeded', 403), 'storage_full', true],
    [answered('InsufficientStorage', 507), 'storage_full', true],
    [answered('SlowDown', 503), 'storage_unavailable', true],
    [answered('InternalError', 500), 'storage_unavailable', true],
    [answered('TooManyRequests', 429), 'storage_unavailable', true],
    [answered('RequestTimeout', 408), 'storage_unavailable', true],
    [answered('TimeoutError', 0), 'storage_unavailable', true],
    [broken('ECONNREFUSED'), 'storage_unavailable', true],
    [broken('ENOTFOUND'), 'storage_unavailable', true],
    [broken('CERT_HAS_EXPIRED'), 'storage_misconfigured', false],
    [answered('InvalidRange', 416), 'range_not_satisfiable', false],
    [answered('BadDigest', 400), 'checksum_mismatch', false],
    [answered('InvalidPart', 400), 'checksum_mismatch', false],
    [answered('EntityTooSmall', 400), 'storage_unavailable', false],
  ])('%s becomes %s', (error, code, retryable) => {
    const status = error as { $metadata?: { httpStatusCode?: number } };
    if (status.$metadata?.httpStatusCode === 0) delete status.$metadata;
    expect(toStorageError(error)).toMatchObject({ code, retryable, cause: error });
  });

  it('is left alone where it is ours, or what was asked for', () => {
    const ours = new CarcosaError('upload_fenced');
    const aborted = Object.assign(new Error('stop'), { name: 'AbortError' });
    expect(toStorageError(ours)).toBe(ours);
    expect(toStorageError(aborted)).toBe(aborted);
  });

  it('tells when to come again', () => {
    expect(toStorageError(answered('SlowDown', 503, { 'retry-after': '7' }))).toMatchObject({ retryAfter: 7 });
  });

  it('tells a condition that did not hold', () => {
    expect(isPreconditionFailure(answered('PreconditionFailed', 412))).toBe(true);
    expect(isPreconditionFailure(answered('ConditionalRequestConflict', 409))).toBe(true);
    expect(isPreconditionFailure(undefined)).toBe(false);
  });
});
