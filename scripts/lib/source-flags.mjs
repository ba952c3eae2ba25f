/**
 * What Node needs to run our TypeScript as it stands: packages resolve to their sources, and releases before 24.3 don't warn of
 * type stripping on each start.
 */
export const SOURCE_FLAGS = ['--conditions=source', '--disable-warning=ExperimentalWarning'];
