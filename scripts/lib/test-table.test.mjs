import { expect, it } from 'vitest';
import { summaryLines } from './test-table.mjs';

const unit = { suite: 'unit', passed: 3, failed: [], skipped: [], seconds: 1.25 };

it('ends with the counts of all suites', () => {
  const other = { ...unit, suite: 'browser', passed: 2, failed: ['a.test.ts > b'] };
  const lines = summaryLines([unit, other]);
  expect(lines.at(-1)).toBe('5 passed, 1 failed');
  expect(lines.at(-2)).toBe('FAILED: browser: a.test.ts > b');
  expect(lines).toContain('unit                3        0        0      1.3');
});

it('names what was skipped, and why', () => {
  const lines = summaryLines([{ ...unit, skipped: [{ name: 'a.test.ts > b', reason: 'needs radosgw' }] }]);
  expect(lines.at(-1)).toBe('3 passed, 0 failed, 1 skipped');
  expect(lines.at(-2)).toBe('skipped: unit: a.test.ts > b: needs radosgw');
});
