import { isDatabaseError, toDatabaseError } from '@carcosa/database';
import { CarcosaError, type ErrorCode, isCarcosaError } from '@carcosa/kernel';

/** What the library refuses, in our words. */
const CODES: Record<string, ErrorCode> = {
  INVALID_EMAIL_OR_PASSWORD: 'invalid_credentials',
  INVALID_PASSWORD: 'invalid_credentials',
  CREDENTIAL_ACCOUNT_NOT_FOUND: 'no_password',
  EMAIL_NOT_VERIFIED: 'email_unverified',
  USER_ALREADY_EXISTS: 'email_taken',
  // The library says so for whatever the database refused: see PeopleService.
  FAILED_TO_CREATE_USER: 'conflict',
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: 'email_taken',
  INVALID_TOKEN: 'link_invalid',
  TOKEN_EXPIRED: 'link_invalid',
  USER_NOT_FOUND: 'link_invalid',
  INVALID_CODE: 'invalid_code',
  INVALID_BACKUP_CODE: 'invalid_code',
  INVALID_TWO_FACTOR_COOKIE: 'second_step_expired',
  TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE: 'second_step_expired',
  ACCOUNT_TEMPORARILY_LOCKED: 'second_step_locked',
  TOTP_ALREADY_ENABLED: 'conflict',
  TOTP_NOT_ENABLED: 'conflict',
  TWO_FACTOR_NOT_ENABLED: 'conflict',
  BACKUP_CODES_NOT_ENABLED: 'conflict',
  SESSION_NOT_FRESH: 'login_not_fresh',
  SESSION_EXPIRED: 'unauthenticated',
  FAILED_TO_GET_SESSION: 'unauthenticated',
  CHALLENGE_NOT_FOUND: 'passkey_refused',
  PASSKEY_NOT_FOUND: 'passkey_refused',
  AUTHENTICATION_FAILED: 'passkey_refused',
  FAILED_TO_VERIFY_REGISTRATION: 'passkey_refused',
  YOU_ARE_NOT_ALLOWED_TO_REGISTER_THIS_PASSKEY: 'passkey_refused',
  PROVIDER_NOT_FOUND: 'not_found',
};

/**
 * What the library threw, as an error of ours. What is no refusal is told by its innermost cause alone: the errors around it carry
 * whole statements with their values, which are secrets, and would be logged.
 */
export function toAuthError(thrown: unknown): unknown {
  if (isCarcosaError(thrown)) return thrown;
  const { statusCode, body } = (thrown ?? {}) as { statusCode?: unknown; body?: { code?: string; message?: string } };
  if (typeof statusCode !== 'number' || statusCode >= 500) return faultOf(thrown);
  const code = CODES[body?.code ?? ''];
  if (code !== undefined) return new CarcosaError(code);
  if (statusCode === 401) return new CarcosaError('unauthenticated');
  const message = body?.message;
  return new CarcosaError('invalid_request', message ? { message } : {});
}

function faultOf(thrown: unknown): unknown {
  const cause = innermost(thrown);
  if (isDatabaseError(cause)) return toDatabaseError(cause);
  return cause instanceof Error ? cause : new CarcosaError('internal_error');
}

/** The error at the bottom of a chain of causes. */
export function innermost(thrown: unknown): unknown {
  let inner = thrown;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return inner;
}
