import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKS } from './checks.mjs';
import { CACHE, ROOT } from './paths.mjs';
import { exitCodeOf, runForeground } from './processes.mjs';
import { Interrupted, say } from './say.mjs';
import { SUMMARY_VARIABLE } from './summary-reporter.mjs';

const MINUTE_MS = 60_000;

/** Run by `npm test`, in this order. */
export const BY_DEFAULT = ['lint', 'types', 'unit', 'integration', 'acceptance', 'browser'];

/** The suites of vitest, with the time after which one is ended: a test that hangs must not hang whoever waits for the result. */
const TIME_LIMITS_MS = {
  unit: 10 * MINUTE_MS,
  integration: 20 * MINUTE_MS,
  acceptance: 25 * MINUTE_MS,
  browser: 15 * MINUTE_MS,
  faults: 60 * MINUTE_MS,
  soak: 240 * MINUTE_MS,
};

export const SUITES = [...Object.keys(CHECKS), ...Object.keys(TIME_LIMITS_MS)];

/** Whether vitest runs the suite, and so its arguments mean something to it. */
export const isRunByVitest = (suite) => suite in TIME_LIMITS_MS;

/** @typedef {import('./summary-reporter.mjs').Summary & { suite: string, seconds: number }} Result */

/**
 * Runs one suite and prints what it says.
 *
 * @param {string} suite one of {@link SUITES}
 * @param {string[]} args for vitest
 * @returns {Promise<Result>}
 */
export async function runSuite(suite, args) {
  say(`\n=== ${suite} ===`);
  const begun = performance.now();
  const summary = suite in CHECKS ? await runChecks(CHECKS[suite]) : await runVitest(suite, args);
  return { suite, seconds: (performance.now() - begun) / 1000, ...summary };
}

/** @returns {Result} of a suite that could not be run */
export function failedSuite(suite, reason) {
  return { suite, seconds: 0, passed: 0, failed: [`${suite}: ${reason}`], skipped: [] };
}

async function runChecks(checks) {
  const summary = { passed: 0, failed: [], skipped: [] };
  for (const { name, run } of checks) {
    if (await run()) summary.passed += 1;
    else summary.failed.push(name);
  }
  return summary;
}

async function runVitest(suite, args) {
  const file = join(CACHE, 'test-results', `${suite}.json`);
  rmSync(file, { force: true });
  const end = await runForeground(
    process.execPath,
    [
      join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      ...['--project', suite, '--reporter=default', '--reporter=./scripts/lib/summary-reporter.mjs'],
      // That it found none is ours to judge, below.
      '--passWithNoTests',
      ...args,
    ],
    {
      cwd: ROOT,
      timeoutMs: TIME_LIMITS_MS[suite],
      // The black-box suites start the program that was just built, as users do.
      env: { ...process.env, [SUMMARY_VARIABLE]: file, CARCOSA_TEST_BUILT: '1' },
    },
  );
  if (end.forwarded) throw new Interrupted(exitCodeOf({ code: null, signal: end.forwarded }));
  const summary = readSummary(file);
  if (end.timedOut) summary.failed.push(`${suite}: not done after ${TIME_LIMITS_MS[suite] / MINUTE_MS} minutes`);
  else if (end.code !== 0 && summary.failed.length === 0)
    summary.failed.push(`${suite}: vitest ended with ${end.code}`);
  const count = summary.passed + summary.failed.length + summary.skipped.length;
  // A filter may leave a suite without tests; a suite that has none by itself has lost them.
  if (count === 0 && args.length === 0) summary.failed.push(`${suite}: there are no tests`);
  return summary;
}

function readSummary(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: [], skipped: [] };
  }
}
