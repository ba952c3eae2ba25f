// npm test [suite…] [-- what vitest takes]: the last line that it prints has the counts.
import { bootstrapSource } from './lib/bootstrap.mjs';
import { ensureBuilt } from './lib/build.mjs';
import { main, say } from './lib/say.mjs';
import { BY_DEFAULT, runSuite, SUITES } from './lib/suites.mjs';
import { summaryLines } from './lib/test-table.mjs';
import { ensureTools } from './lib/tools.mjs';

/** Those that start the built program. */
const NEED_BUILD = ['acceptance', 'browser', 'faults', 'soak'];

await main(async () => {
  await bootstrapSource();
  const { suites, args } = readArguments(process.argv.slice(2));
  ensureTools(suites);
  const results = [];
  // Here, not at first use: the check of the types is the build, and says more.
  for (const suite of suites) {
    if (NEED_BUILD.includes(suite) && !suites.includes('types')) await ensureBuilt();
    results.push(await runSuite(suite, args));
  }
  for (const line of summaryLines(results)) console.log(line);
  return results.every(({ failed }) => failed.length === 0) ? 0 : 1;
});

/** The suites come first; what follows them is for vitest. */
function readArguments(all) {
  const end = all.findIndex((each) => !SUITES.includes(each));
  const named = end === -1 ? all : all.slice(0, end);
  const args = end === -1 ? [] : all.slice(end).filter((each) => each !== '--');
  if (named.length === 0 && args.length > 0) say(`No suite named: running all. There are ${SUITES.join(', ')}.`);
  return { suites: named.length > 0 ? [...new Set(named)] : BY_DEFAULT, args };
}
