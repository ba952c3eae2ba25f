import type { ResolvedTransform } from '@carcosa/contracts';
import type { ImageLimits } from './limits.ts';

/** One picture to make, from file to file: pixels never pass through the server. */
export interface ImageTask {
  /** Absolute path of the original. */
  readonly source: string;
  /** Absolute path of the result: a new file, which is removed again if anything fails. */
  readonly target: string;
  readonly transform: ResolvedTransform;
  /** Absolute paths of the overlays, in the order of the groups of steps that have one. */
  readonly overlays?: readonly string[];
  /** What {@link ReduceTask} made of the source: it is used where it is large enough. */
  readonly reduced?: string;
}

/** Keeps a smaller copy of a picture, upright and in sRGB, as bare pixels: other sizes are made of it in half the time. */
export interface ReduceTask {
  readonly source: string;
  readonly target: string;
  /** Pixels of the longer side. */
  readonly reduceTo: number;
}

export interface ImageResult {
  /** Bytes. */
  readonly size: number;
  readonly width: number;
  readonly height: number;
  /** Pixels of the upright source. */
  readonly source: { readonly width: number; readonly height: number };
}

/** Why there is no result: what is wrong with the source, with the transform, or with our disk. */
export type ImageFault = 'unreadable' | 'too-large' | 'impossible' | 'source-missing' | 'disk-full' | 'failed';

export type AnyTask = ImageTask | ReduceTask;
export type ImageRequest = AnyTask & { readonly id: number; readonly limits: ImageLimits };
export type ImageReply =
  | { readonly id: number; readonly result: ImageResult }
  | { readonly id: number; readonly fault: ImageFault; readonly message: string };
