import type { ResolvedTransform } from '@carcosa/contracts';
import type { ImageLimits } from './limits.ts';

/** One picture to make, from file to file: pixels never pass through the server. */
export interface ImageTask {
  /** Absolute path of the original. */
  readonly source: string;
  /** Absolute path of the result: a new file, which is removed again if anything fails. */
  readonly target: string;
  readonly transform: ResolvedTransform;
}

export interface ImageResult {
  /** Bytes. */
  readonly size: number;
  readonly width: number;
  readonly height: number;
}

/** Why there is no result: what is wrong with the source, with the transform, or with our disk. */
export type ImageFault = 'unreadable' | 'too-large' | 'impossible' | 'source-missing' | 'disk-full' | 'failed';

export type ImageRequest = ImageTask & { readonly id: number; readonly limits: ImageLimits };
export type ImageReply =
  | { readonly id: number; readonly result: ImageResult }
  | { readonly id: number; readonly fault: ImageFault; readonly message: string };
