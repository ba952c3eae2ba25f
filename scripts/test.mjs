// npm test [suite…] [part of a file's path…] [-- what vitest takes]: the last line that it prints has the counts.
import { bootstrapSource } from './lib/bootstrap.mjs';
import { ensureBuilt } from './lib/build.mjs';
import { KnownFailure, main, say } from './lib/say.mjs';
import { BY_DEFAULT, failedSuite, isRunByVitest, runSuite, SUITES } from './lib/suites.mjs';
import { summaryLines } from './lib/test-table.mjs';
import { ensureTools } from './lib/tools.mjs';

/** Those that start the built program. */
const NEED_BUILD = ['acceptance', 'browser', 'faults', 'soak'];

await main(async () => {
  await bootstrapSource();
  const { suites, args } = readArguments(process.argv.slice(2));
  ensureTools(suites);
  const results = [];
  for (const suite of suites) {
    const canRun = !NEED_BUILD.includes(suite) || (await isBuilt());
    results.push(canRun ? await runSuite(suite, args) : failedSuite(suite, 'not run, since the build failed'));
  }
  for (const line of summaryLines(results)) console.log(line);
  const ran = results.some(({ passed, failed, skipped }) => passed + failed.length + skipped.length > 0);
  if (!ran) say(`No test fits ${args.join(' ')}.`);
  return ran && results.every(({ failed }) => failed.length === 0) ? 0 : 1;
});

/** Builds what is stale.. */
async function isBuilt() {
  try {
    await ensureBuilt();
    return true;
  } catch (error) {
    if (!(error instanceof KnownFailure)) throw error;
    say(error.message);
    return false;
  }
}

/** The suites come first; what follows them is for vitest. */
function readArguments(all) {
  const end = all.findIndex((each) => !SUITES.includes(each));
  const named = end === -1 ? all : all.slice(0, end);
  const args = end === -1 ? [] : all.slice(end).filter((each) => each !== '--');
  if (named.length > 0) return { suites: [...new Set(named)], args };
  return { suites: args.length > 0 ? BY_DEFAULT.filter(isRunByVitest) : BY_DEFAULT, args };
}
