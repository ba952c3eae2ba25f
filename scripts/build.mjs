// npm run build
import { build } from './lib/build.mjs';
import { clientSizes, sizeTable } from './lib/client-sizes.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { ensureNode, RUNS_BUILT } from './lib/node.mjs';
import { main, say } from './lib/say.mjs';

await main(async () => {
  await ensureNode(RUNS_BUILT);
  await ensureInstalled();
  if (!(await build())) return 1;
  say(sizeTable(await clientSizes()));
  return 0;
});
