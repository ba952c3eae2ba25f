import { readFile } from 'node:fs/promises';
import { ERROR_CODES } from '@carcosa/kernel';
import { expect, it } from 'vitest';
import { ERROR_STATUS } from './error-status.ts';
import { errorsDocument } from './errors-document.ts';

it('docs/errors.md is what "npm run docs" would write', async () => {
  const written = await readFile(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');
  expect(written).toBe(errorsDocument());
});

it('every code has a status that is an error, and there is no status without a code', () => {
  expect(Object.keys(ERROR_STATUS).sort()).toEqual(Object.keys(ERROR_CODES).sort());
  for (const [code, status] of Object.entries(ERROR_STATUS)) {
    expect(status, code).toBeGreaterThanOrEqual(400);
    expect(status, code).toBeLessThan(600);
  }
});

it('what may be retried is not said to be the fault of the request for ever', () => {
  for (const [code, { retryable }] of Object.entries(ERROR_CODES)) {
    if (ERROR_STATUS[code as keyof typeof ERROR_STATUS] >= 503) expect(retryable, code).toBe(true);
  }
});
