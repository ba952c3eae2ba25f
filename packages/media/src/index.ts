export * from './facts/index.ts';
export { ImagePool, type ImagePoolOptions, type ImagePoolStatistics } from './images/image-pool.ts';
export { IMAGE_LIMITS, type ImageLimits } from './images/limits.ts';
export type { AnyTask as AnyImageTask, ImageResult, ImageTask, ReduceTask } from './images/protocol.ts';
export { IMAGE_SIZE_BYTES, type ImageSize, imageSize } from './sniff/image-size.ts';
export { SNIFF_BYTES, sniffContentType } from './sniff/sniff-content-type.ts';
export * from './video/index.ts';
