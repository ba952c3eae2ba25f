const LEAVES = ['kernel', 'contracts'];
const MIDDLE = ['database', 'storage', 'queue', 'media'];

/**
 * Who may import whom, by the name behind `@carcosa/`: two lanes, strictly downward, which meet only at contracts. A package that is
 * not named here is an error: decide where it stands, then add it.
 *
 * @type {Record<string, string[]>}
 */
export const MAY_IMPORT = {
  kernel: [],
  contracts: ['kernel'],
  database: LEAVES,
  storage: LEAVES,
  queue: LEAVES,
  media: LEAVES,
  domain: [...LEAVES, ...MIDDLE],
  server: [...LEAVES, ...MIDDLE, 'domain'],
  sdk: ['contracts'],
  'file-router': ['contracts', 'sdk'],
  react: ['contracts', 'sdk'],
  cli: ['contracts', 'sdk'],
  dashboard: ['contracts', 'sdk', 'react'],
  tests: [...LEAVES, ...MIDDLE, 'domain', 'server', 'sdk', 'file-router', 'react'],
  bench: [...LEAVES, ...MIDDLE, 'domain', 'server', 'sdk'],
};

/** Free of Node's built-in modules, since they run in browsers and at the edge too; a subpath `node` is the exception. */
export const RUNS_ANYWHERE = ['kernel', 'contracts', 'sdk', 'file-router', 'react'];

/** The ways into `@carcosa/storage` for each who may not take every one: only the server's compose.ts sees adapters. */
export const STORAGE_FOR_ALL = ['@carcosa/storage', '@carcosa/storage/port'];
export const COMPOSE = 'src/compose.ts';

/** The only readers of the environment, in an application. */
export const READS_ENVIRONMENT = ['src/config.ts', 'src/main.ts'];

/** Where time and chance come from: the kernel, and in the SDK, which has no package below it, one file. */
export const CLOCKS = { sdk: 'src/timing.ts', 'file-router': 'src/environment.ts' };

/** Runs in the apps of others, which have an environment of their own: one file asks for it. */
export const LIBRARY_ENVIRONMENTS = { 'file-router': 'src/environment.ts' };

/** Packages that one starts as a program of their own: it depends on them and imports nothing of theirs. */
export const STARTS = { cli: ['server'] };
