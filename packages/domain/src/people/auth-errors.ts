import { CarcosaError, type ErrorCode } from '@carcosa/kernel';

/** What the library refuses, in our words. */
const CODES: Record<string, ErrorCode> = {
  INVALID_EMAIL_OR_PASSWORD: 'invalid_credentials',
  INVALID_PASSWORD: 'invalid_credentials',
  CREDENTIAL_ACCOUNT_NOT_FOUND: 'no_password',
  EMAIL_NOT_VERIFIED: 'email_unverified',
  USER_ALREADY_EXISTS: 'email_taken',
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

/** What the library threw, as an error of ours; whatever is not a refusal comes through as it is. */
export function toAuthError(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return thrown;
  const { statusCode, body } = thrown as { statusCode: unknown; body?: { code?: string; message?: string } };
  if (typeof statusCode !== 'number' || statusCode >= 500) return thrown;
  const code = CODES[body?.code ?? ''];
  if (code !== undefined) return new CarcosaError(code, { cause: thrown });
  if (statusCode === 401) return new CarcosaError('unauthenticated', { cause: thrown });
  const message = body?.message;
  return new CarcosaError('invalid_request', { ...(message ? { message } : {}), cause: thrown });
}
