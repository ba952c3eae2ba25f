// npm run bench [name…]: measures beside the peers.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrapBuilt, bootstrapSource } from './lib/bootstrap.mjs';
import { ROOT } from './lib/paths.mjs';
import { exitCodeOf, runForeground } from './lib/processes.mjs';
import { KnownFailure, main } from './lib/say.mjs';
import { SOURCE_FLAGS } from './lib/source-flags.mjs';

await main(async () => {
  // The bench itself runs from source; what it measures is the built program.
  await bootstrapSource();
  await bootstrapBuilt();
  const bench = join(ROOT, 'bench', 'run.ts');
  if (!existsSync(bench)) throw new KnownFailure('There is no bench/run.ts in this checkout.');
  return exitCodeOf(await runForeground(process.execPath, [...SOURCE_FLAGS, bench, ...process.argv.slice(2)]));
});
