import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CACHE, ROOT } from './paths.mjs';
import { SUMMARY_VARIABLE } from './summary-reporter.mjs';

let summary;
let folder;
beforeAll(() => {
  // Below the checkout, so that the files find vitest.
  mkdirSync(CACHE, { recursive: true });
  folder = mkdtempSync(join(CACHE, 'reporter-'));
  const files = {
    'vitest.config.mjs': 'export default {};',
    'good.test.mjs': `import { describe, it } from 'vitest';
      it('passes', () => {});
      it('fails', () => { throw new Error('no'); });
      it('skips', (context) => context.skip('no disk'));
      it.todo('later');
      describe.skip('a bucket (needs radosgw: not installed)', () => { it('works', () => {}); });
      describe.skip('a bucket', () => { it('works', () => {}); });`,
    'hook.test.mjs': `import { beforeAll, it } from 'vitest';
      beforeAll(() => { throw new Error('no'); });
      it('never runs', () => {});`,
    'broken.test.mjs': `import './not-there.mjs';`,
    'late.test.mjs': `import { it } from 'vitest';
      it('passes, but', async () => { Promise.reject(new Error('nobody caught me')); await new Promise(setImmediate); });`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const reporter = join(ROOT, 'scripts', 'lib', 'summary-reporter.mjs');
  const env = { ...process.env, [SUMMARY_VARIABLE]: join(folder, 'deep', 'summary.json') };
  spawnSync(process.execPath, [vitest, 'run', '--root', folder, `--reporter=${reporter}`], { env, stdio: 'ignore' });
  summary = JSON.parse(readFileSync(join(folder, 'deep', 'summary.json'), 'utf8'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('counts what passed', () => expect(summary.passed).toBe(2));

it('counts as failed what failed in, around and outside of tests', () => {
  expect(summary.failed.sort()).toEqual([
    'an error that nothing caught: nobody caught me',
    'broken.test.mjs (outside of its tests)',
    'good.test.mjs > fails',
    'hook.test.mjs (outside of its tests)',
  ]);
});

it('names what was skipped, with its reason', () => {
  expect(summary.skipped.map(({ name, reason }) => `${name}: ${reason}`).sort()).toEqual([
    'good.test.mjs > a bucket (needs radosgw: not installed) > works: needs radosgw: not installed',
    'good.test.mjs > a bucket > works: gives no reason',
    'good.test.mjs > later: to be written',
    'good.test.mjs > skips: no disk',
    'hook.test.mjs > never runs: did not run, since what surrounds it failed',
  ]);
});
