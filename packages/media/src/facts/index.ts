export { labOfHex } from './colors.ts';
export { FACTS_LIMITS, type FactsLimits, FactsReader } from './facts-reader.ts';
export { mediaFacts } from './media-facts.ts';
export type { FactsFound, FactsTask } from './protocol.ts';
