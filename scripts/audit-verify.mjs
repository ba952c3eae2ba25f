// npm run audit:verify [-- <organization id or "server">:<sequence>:<hash> …]: looks for entries of the audit log that were changed or
// removed. Exits with 0 when there are none, 1 when there are, 2 when it could not look.
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
  const args = [...flags, server, 'verify-audit', ...process.argv.slice(2)];
  return exitCodeOf(await runForeground(process.execPath, args));
});
