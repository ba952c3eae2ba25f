/**
 * What `npm test` prints at its end: a table, the names of what failed and of what was skipped and why, and as last line the counts.
 *
 * @param {import('./suites.mjs').Result[]} results
 * @returns {string[]} lines
 */
export function summaryLines(results) {
  const rows = results.map(({ suite, passed, failed, skipped, seconds }) =>
    row(suite, passed, failed.length, skipped.length, seconds.toFixed(1)),
  );
  const skips = results.flatMap(({ suite, skipped }) =>
    skipped.map(({ name, reason }) => `skipped: ${suite}: ${name}: ${reason}`),
  );
  const failures = results.flatMap(({ suite, failed }) => failed.map((name) => `FAILED: ${suite}: ${name}`));
  return [
    '',
    row('suite', 'passed', 'failed', 'skipped', 'seconds'),
    ...rows,
    '',
    ...skips,
    ...failures,
    countsLine(results),
  ];
}

function row(suite, ...numbers) {
  return suite.padEnd(12) + numbers.map((each) => String(each).padStart(9)).join('');
}

function countsLine(results) {
  const sum = (count) => results.reduce((total, each) => total + count(each), 0);
  const skipped = sum((each) => each.skipped.length);
  const counts = `${sum((each) => each.passed)} passed, ${sum((each) => each.failed.length)} failed`;
  return skipped === 0 ? counts : `${counts}, ${skipped} skipped`;
}
