import { totalmem } from 'node:os';
import { type Environment, integerVariable, readConfig } from '@carcosa/kernel';

/** Share of the memory that there is, from which on nothing new is begun. */
const MEMORY_SHARE = 0.85;

const LOAD_SHAPE = {
  CARCOSA_MAX_UPLOADS: integerVariable(1, 1_000_000).default(2000),
  CARCOSA_MAX_TRANSFORMS: integerVariable(1, 1_000_000).default(500),
  CARCOSA_MAX_MEMORY: integerVariable(1, Number.MAX_SAFE_INTEGER).optional(),
  CARCOSA_MAX_EVENT_LOOP_DELAY: integerVariable(10, 600_000).default(5000),
};

/** How much one process takes on. */
export interface LoadLimits {
  /** Requests that bring bytes of uploads, at a time. */
  uploads: number;
  /** Requests for pictures, at a time. */
  transforms: number;
  /** Bytes of resident memory. */
  memory: number;
  /** Milliseconds that the event loop may be late. */
  eventLoopDelayMs: number;
}

export function readLoadLimits(environment: Environment): LoadLimits {
  const variables = readConfig(LOAD_SHAPE, environment);
  return {
    uploads: variables.CARCOSA_MAX_UPLOADS,
    transforms: variables.CARCOSA_MAX_TRANSFORMS,
    memory: variables.CARCOSA_MAX_MEMORY ?? Math.floor(MEMORY_SHARE * memoryOfProcess()),
    eventLoopDelayMs: variables.CARCOSA_MAX_EVENT_LOOP_DELAY,
  };
}

/** Bytes that the process may have: those of its container, where there is one. */
function memoryOfProcess(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
