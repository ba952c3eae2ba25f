import { defineConfig } from 'vitest/config';
import { SOURCE_FLAGS } from './scripts/lib/source-flags.mjs';

/** What takes minutes. */
const SOAK = '**/*.soak.test.ts';
/** Searches what all servers of a run print for secrets. */
const LOGS = './tests/support/secrets-scan-setup.ts';
/** The database servers that the files of a run share. */
const DATABASES = './tests/support/database-servers.ts';

interface Suite {
  name: string;
  include: string[];
  exclude?: string[];
  /** Milliseconds for one test. */
  testTimeout: number;
  /** What stands up once for all files of the suite. */
  globalSetup?: string[];
}

/** One suite of `npm test`. */
function suite({ name, include, exclude = [SOAK], testTimeout, globalSetup = [] }: Suite) {
  return {
    // Packages resolve to their sources, here and in what Node itself loads: worker threads inherit the flags of their process.
    resolve: { conditions: ['source'] },
    ssr: { resolve: { conditions: ['source'] } },
    test: {
      name,
      include,
      exclude: ['**/node_modules/**', '**/dist/**', ...exclude],
      globalSetup,
      pool: 'forks' as const,
      execArgv: SOURCE_FLAGS,
      testTimeout,
      hookTimeout: Math.max(testTimeout, 120_000),
    },
  };
}

export default defineConfig({
  test: {
    // A server and its database stand behind many files: more than one a core only makes all of them slow.
    maxWorkers: 2,
    silent: 'passed-only',
    projects: [
      suite({
        name: 'unit',
        include: ['{packages,apps}/*/src/**/*.test.ts', 'bench/**/*.test.ts', 'scripts/**/*.test.mjs'],
        testTimeout: 15_000,
        globalSetup: [DATABASES],
      }),
      suite({
        name: 'integration',
        include: ['tests/integration/**/*.test.ts'],
        testTimeout: 60_000,
        globalSetup: [DATABASES],
      }),
      suite({
        name: 'acceptance',
        include: ['tests/acceptance/**/*.test.ts'],
        testTimeout: 60_000,
        globalSetup: [LOGS],
      }),
      suite({
        name: 'browser',
        include: ['tests/browser/**/*.test.ts'],
        testTimeout: 60_000,
        globalSetup: [LOGS],
      }),
      suite({ name: 'faults', include: ['tests/faults/**/*.test.ts'], testTimeout: 120_000, globalSetup: [LOGS] }),
      suite({
        name: 'soak',
        include: ['tests/soak/**/*.test.ts', 'tests/**/*.soak.test.ts'],
        exclude: [],
        testTimeout: 1_800_000,
        globalSetup: [LOGS],
      }),
    ],
  },
});
