/** What a picture may cost. */
export interface ImageLimits {
  /** Pixels of the source, before anything is done. */
  readonly inputPixels: number;
  /** The same for pictures that come in passes (interlaced PNG, progressive JPEG): they are in memory as a whole. */
  readonly interlacedPixels: number;
  readonly outputPixels: number;
  /** Bytes of the result. */
  readonly outputBytes: number;
  /** Milliseconds of one transform. */
  readonly timeMs: number;
  /** Bytes that a process may have in memory. */
  readonly memoryBytes: number;
}

const MIB = 1024 * 1024;

export const IMAGE_LIMITS: ImageLimits = {
  inputPixels: 50_000_000,
  interlacedPixels: 25_000_000,
  outputPixels: 40_000_000,
  outputBytes: 64 * MIB,
  timeMs: 10_000,
  memoryBytes: 512 * MIB,
};
