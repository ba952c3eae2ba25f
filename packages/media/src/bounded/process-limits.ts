const MIB = 1024 * 1024;

/** What a program that reads files of others may use up. */
export interface ProcessLimits {
  /** Milliseconds by the clock. */
  readonly timeMs: number;
  /** Seconds of all processors together. */
  readonly cpuSeconds: number;
  /** Bytes of address space. */
  readonly memoryBytes: number;
  /** Bytes of one file that it writes, and of all files in its folder together. */
  readonly outputBytes: number;
}

/** For looking at a file. */
export const PROBE_LIMITS: ProcessLimits = {
  timeMs: 30_000,
  cpuSeconds: 20,
  memoryBytes: 1024 * MIB,
  outputBytes: 16 * MIB,
};

/** For making something of it. */
export const MEDIA_LIMITS: ProcessLimits = {
  timeMs: 2 * 3600 * 1000,
  cpuSeconds: 8 * 3600,
  memoryBytes: 4096 * MIB,
  outputBytes: 16 * 1024 * MIB,
};
