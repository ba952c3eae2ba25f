import { defineConfig } from 'vitest/config';

const shared = { root: import.meta.dirname, environment: 'node' as const, hookTimeout: 120_000 };

/**
 * Black-box suites; each file starts servers of its own. `acceptance` and `faults` belong to every `npm test`; `soak` holds
 * what takes minutes.
 */
export default defineConfig({
  test: {
    // A server and its database stand behind every file: more than one a core only makes all of them slow.
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...shared,
          name: 'acceptance',
          include: ['acceptance/**/*.test.ts'],
          exclude: ['**/*.soak.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...shared,
          name: 'faults',
          include: ['faults/**/*.test.ts'],
          exclude: ['**/*.soak.test.ts'],
          testTimeout: 120_000,
        },
      },
      { test: { ...shared, name: 'soak', include: ['**/*.soak.test.ts'], testTimeout: 1_800_000 } },
    ],
  },
});
