/** What only tests need of the embedded server's supervisor: to look at, and end, what a killed process left behind. */
export { readPostmasterFile, stopLeftover } from './drivers/embedded/leftover.ts';
export { processIdentity } from './drivers/embedded/process-identity.ts';
