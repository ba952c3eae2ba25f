import { join } from 'node:path';
import { build } from './build.mjs';
import { ROOT } from './paths.mjs';
import { succeeds } from './processes.mjs';

const bin = (...path) => join(ROOT, 'node_modules', ...path);

/** Runs a script with this Node; answers whether it was content. */
const runScript = (...args) => succeeds(process.execPath, args, { cwd: ROOT });

/**
 * What is checked without running the program, by suite. Each check counts as one test.
 *
 * @type {Record<'lint' | 'types', { name: string, run: (options?: { write?: boolean }) => Promise<boolean> }[]>}
 */
export const CHECKS = {
  lint: [
    {
      name: 'biome',
      run: ({ write } = {}) =>
        runScript(
          bin('@biomejs', 'biome', 'bin', 'biome'),
          'check',
          '--error-on-warnings',
          ...(write ? ['--write'] : []),
        ),
    },
    { name: 'boundaries', run: () => runScript(join(ROOT, 'scripts', 'check-boundaries.mjs')) },
  ],
  types: [
    { name: 'types of the program', run: build },
    { name: 'types of the tests', run: () => runScript(bin('typescript', 'bin', 'tsc'), '-p', 'tsconfig.tests.json') },
  ],
};
