export { MEDIA_LIMITS, PROBE_LIMITS, type ProcessLimits } from '../bounded/process-limits.ts';
export { containerOf } from './containers.ts';
export { MediaFailure, type MediaFault } from './media-failure.ts';
export { type MediaProbe, probeMedia } from './probe.ts';
export { encodersOf, findMediaPrograms, type MediaPrograms } from './programs.ts';
export { type RangeReader, RangeServer } from './range-server.ts';
export type { MediaSource } from './source.ts';
export type { MadeFile, MediaTask, StepResult } from './step-context.ts';
export { makeMedia } from './transcoder.ts';
