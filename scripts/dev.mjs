// npm run dev: the server from its sources, started again when one of them changes. Needs no build.
import { join } from 'node:path';
import { bootstrapSource } from './lib/bootstrap.mjs';
import { ROOT } from './lib/paths.mjs';
import { exitCodeOf, runForeground } from './lib/processes.mjs';
import { main } from './lib/say.mjs';
import { SOURCE_FLAGS } from './lib/source-flags.mjs';

await main(async () => {
  await bootstrapSource();
  const server = join(ROOT, 'apps', 'server', 'src', 'main.ts');
  const args = ['--watch', '--watch-preserve-output', ...SOURCE_FLAGS, server];
  return exitCodeOf(await runForeground(process.execPath, args));
});
