/** What only tests need of the embedded server's supervisor: to look at, and end, what a killed process left behind. */

export { processIdentity } from '@carcosa/kernel/node';
export { readPostmasterFile, stopLeftover } from './drivers/embedded/leftover.ts';
