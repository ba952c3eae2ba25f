/** What a picture may cost. */
export interface ImageLimits {
  /** Pixels of the source, before anything is done; of all its frames, where they are kept. */
  readonly inputPixels: number;
  /** Bytes of the decoded source, for pictures that come in passes (interlaced PNG, progressive JPEG): they are in memory as a whole. */
  readonly interlacedBytes: number;
  /** Pixels of a HEIC source, whose decoder holds it several times. */
  readonly heicPixels: number;
  /** Frames of an animation, or pages of a document, whether they are used or not. */
  readonly frames: number;
  /** Bytes of a drawing (SVG). */
  readonly drawingBytes: number;
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
  interlacedBytes: 100 * MIB,
  heicPixels: 25_000_000,
  frames: 1000,
  drawingBytes: MIB,
  outputPixels: 40_000_000,
  outputBytes: 64 * MIB,
  timeMs: 10_000,
  memoryBytes: 512 * MIB,
};
