import { expect, it } from 'vitest';
import { lockedAreInstalled } from './install.mjs';

const locked = Object.entries({
  '': { version: '1.0.0' },
  'packages/kernel': { version: '0.1.0' },
  'node_modules/@carcosa/kernel': { link: true },
  'node_modules/zod': { version: '4.0.0', integrity: 'sha512-a' },
  'node_modules/zod/node_modules/deep': { version: '1.0.0', integrity: 'sha512-b' },
  'node_modules/for-darwin': { version: '1.0.0', integrity: 'sha512-c', optional: true },
});
const installed = {
  'packages/kernel': { version: '0.1.0' },
  'node_modules/@carcosa/kernel': { link: true },
  'node_modules/zod': { version: '4.0.0', integrity: 'sha512-a' },
  'node_modules/zod/node_modules/deep': { version: '1.0.0', integrity: 'sha512-b' },
  'node_modules/left-over': { version: '1.0.0' },
};

it('is content with what the lock file says, packages of other platforms aside', () => {
  expect(lockedAreInstalled(locked, installed)).toBe(true);
});

it.each([
  ['a package is missing', 'node_modules/zod/node_modules/deep', undefined],
  ['a package of the workspace is missing', 'node_modules/@carcosa/kernel', undefined],
  ['a version differs', 'node_modules/zod', { version: '4.0.1', integrity: 'sha512-a' }],
  ['a content differs', 'node_modules/zod', { version: '4.0.0', integrity: 'sha512-x' }],
])('is not when %s', (_, path, found) => {
  expect(lockedAreInstalled(locked, { ...installed, [path]: found })).toBe(false);
});
