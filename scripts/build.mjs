// npm run build
import { build } from './lib/build.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { ensureNode, RUNS_BUILT } from './lib/node.mjs';
import { main } from './lib/say.mjs';

await main(async () => {
  await ensureNode(RUNS_BUILT);
  await ensureInstalled();
  return (await build()) ? 0 : 1;
});
