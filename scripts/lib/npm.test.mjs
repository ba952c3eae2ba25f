import { expect, it } from 'vitest';
import { reasonIn } from './npm.mjs';

it.each([
  [
    'npm error code ECONNREFUSED\nnpm error syscall connect\nnpm error errno ECONNREFUSED\nnpm error FetchError: request failed\nnpm error     at x (y.js:1:2)\n',
    'ECONNREFUSED: FetchError: request failed',
  ],
  ['npm warn x\nnpm ERR! code E404\nnpm ERR! 404 Not Found\nnpm ERR! 404 more\n', 'E404: 404 Not Found'],
  ['npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install\n', 'EUSAGE: `npm ci` can only install'],
  ['', 'it gives no reason'],
])('keeps the reason of %j', (output, reason) => expect(reasonIn(output)).toBe(reason));
