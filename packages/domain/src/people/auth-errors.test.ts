import { CarcosaError } from '@carcosa/kernel';
import { describe, expect, it } from 'vitest';
import { toAuthError } from './auth-errors.ts';

const refusal = (statusCode: number, body?: { code?: string; message?: string }) =>
  Object.assign(new Error('refused'), { statusCode, body });

describe('a refusal of the library', () => {
  it.each([
    [401, 'INVALID_EMAIL_OR_PASSWORD', 'invalid_credentials'],
    [403, 'EMAIL_NOT_VERIFIED', 'email_unverified'],
    [429, 'ACCOUNT_TEMPORARILY_LOCKED', 'second_step_locked'],
    [401, 'WHATEVER_COMES_NEXT', 'unauthenticated'],
    [400, 'WHATEVER_COMES_NEXT', 'invalid_request'],
  ])('%d %s is %s', (statusCode, code, expected) => {
    expect(toAuthError(refusal(statusCode, { code }))).toMatchObject({ code: expected });
  });

  it('without a body is a refusal all the same', () => {
    expect(toAuthError(refusal(400))).toMatchObject({ code: 'invalid_request' });
  });
});

describe('a fault', () => {
  const statement = 'Failed query: insert into sessions values ($1)\nparams: a-secret-token';

  it('of the database is told as such, without the statement and its values', () => {
    const down = Object.assign(new Error('terminating connection'), { code: '57P01', severity: 'FATAL' });
    for (const thrown of [
      new Error(statement, { cause: down }),
      refusalAround(new Error(statement, { cause: down })),
    ]) {
      const error = toAuthError(thrown) as CarcosaError;
      expect(error).toMatchObject({ code: 'database_unavailable' });
      expect(everythingOf(error)).not.toContain('a-secret-token');
    }
  });

  it('of another kind is told by its innermost cause alone', () => {
    const inner = new TypeError('x is not a function');
    expect(toAuthError(new Error(statement, { cause: inner }))).toBe(inner);
  });

  it('that is no error is one', () => {
    expect(toAuthError('a text')).toMatchObject({ code: 'internal_error' });
    expect(toAuthError(undefined)).toMatchObject({ code: 'internal_error' });
  });

  it('that is ours already stays as it is', () => {
    const ours = new CarcosaError('not_found');
    expect(toAuthError(ours)).toBe(ours);
  });
});

const refusalAround = (cause: Error): Error => Object.assign(new Error('internal', { cause }), { statusCode: 500 });

function everythingOf(error: unknown): string {
  return error instanceof Error ? `${error.message}\n${error.stack}\n${everythingOf(error.cause)}` : String(error);
}
