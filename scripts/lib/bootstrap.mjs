import { ensureBuilt } from './build.mjs';
import { ensureInstalled } from './install.mjs';
import { ensureNode, RUNS_BUILT, RUNS_SOURCE } from './node.mjs';
import { registerAsRunning } from './running.mjs';

/** Makes a checkout ready to run what is built: Node, packages, build. Each step costs next to nothing where it is done already. */
export async function bootstrapBuilt() {
  await ensureNode(RUNS_BUILT);
  await ensureInstalled();
  registerAsRunning();
  await ensureBuilt();
}

/** Makes a checkout ready to run the TypeScript sources as they stand: Node and packages. */
export async function bootstrapSource() {
  await ensureNode(RUNS_SOURCE);
  await ensureInstalled();
  registerAsRunning();
}
