// npm run reseal: seals every stored secret with the newest of CARCOSA_ENCRYPTION_KEYS.
import { join } from 'node:path';
import { bootstrapBuilt } from './lib/bootstrap.mjs';
import { ROOT } from './lib/paths.mjs';
import { exitCodeOf, runForeground } from './lib/processes.mjs';
import { main } from './lib/say.mjs';
import { serverFlags } from './lib/server-flags.mjs';

await main(async () => {
  await bootstrapBuilt();
  const server = join(ROOT, 'apps', 'server', 'dist', 'main.js');
  const flags = ['--disable-warning=ExperimentalWarning', ...serverFlags()];
  return exitCodeOf(await runForeground(process.execPath, [...flags, server, 'reseal']));
});
