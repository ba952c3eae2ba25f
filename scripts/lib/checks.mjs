import { join } from 'node:path';
import { build } from './build.mjs';
import { ROOT } from './paths.mjs';
import { exitCodeOf, runForeground } from './processes.mjs';

const bin = (...path) => join(ROOT, 'node_modules', ...path);

/** Runs a script with this Node; answers whether it was content. A signal ends us too. */
async function succeeds(...args) {
  const end = await runForeground(process.execPath, args, { cwd: ROOT });
  if (end.signal) process.exit(exitCodeOf(end));
  return end.code === 0;
}

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
        succeeds(
          bin('@biomejs', 'biome', 'bin', 'biome'),
          'check',
          '--error-on-warnings',
          ...(write ? ['--write'] : []),
        ),
    },
    { name: 'boundaries', run: () => succeeds(join(ROOT, 'scripts', 'check-boundaries.mjs')) },
  ],
  types: [
    { name: 'types of the program', run: build },
    { name: 'types of the tests', run: () => succeeds(bin('typescript', 'bin', 'tsc'), '-p', 'tsconfig.tests.json') },
  ],
};
