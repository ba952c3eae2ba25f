// npm start: makes the checkout ready, then becomes the server.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bootstrapBuilt } from './lib/bootstrap.mjs';
import { CACHE, ROOT } from './lib/paths.mjs';
import { KnownFailure, main } from './lib/say.mjs';

await main(async () => {
  await bootstrapBuilt();
  const server = join(ROOT, 'apps', 'server', 'dist', 'main.js');
  if (!existsSync(server))
    throw new KnownFailure(`${server} is missing: run \`npm run build\` and look at what it says.`);
  module.enableCompileCache?.(join(CACHE, 'compiled'));
  // In this process: signals and the exit code are the server's own, and it starts sooner.
  process.argv[1] = server;
  await import(pathToFileURL(server).href);
});
