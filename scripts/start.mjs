// npm start: makes the checkout ready, then becomes the server.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bootstrapBuilt } from './lib/bootstrap.mjs';
import { CACHE, ROOT } from './lib/paths.mjs';
import { KnownFailure, main } from './lib/say.mjs';
import { serverEnvironment, serverFlags } from './lib/server-flags.mjs';

await main(async () => {
  await bootstrapBuilt();
  const server = join(ROOT, 'apps', 'server', 'dist', 'main.js');
  if (!existsSync(server))
    throw new KnownFailure(`${server} is missing: run \`npm run build\` and look at what it says.`);
  const compiled = join(CACHE, 'compiled');
  // The server becomes this process: signals and the exit code are its own.
  if (process.execve) {
    const env = { ...serverEnvironment(), NODE_COMPILE_CACHE: compiled, ...process.env };
    process.execve(
      process.execPath,
      [process.execPath, '--disable-warning=ExperimentalWarning', ...serverFlags(), server],
      env,
    );
  }
  module.enableCompileCache?.(compiled);
  // Whatever was said after it is no command of the server.
  process.argv.splice(1, process.argv.length, server);
  await import(pathToFileURL(server).href);
});
