import type { ImageFormat, ImageSteps } from '@carcosa/contracts';
import type { Sharp } from 'sharp';

/** What a step may want to know of the source. */
export interface Source {
  /** Pixels of the upright picture. */
  readonly width: number;
  readonly height: number;
}

/** Steps of one group, and the format that the whole comes out in. */
export type FormattedSteps = ImageSteps & { readonly format: ImageFormat };

/** One step: adds to the pipeline what the transform asks of it, and gives it back as it was where it asks nothing. */
export type Step = (image: Sharp, steps: FormattedSteps, source: Source) => Sharp;

/** A transform that cannot be done to this picture; the message is for the client. */
export class ImpossibleStep extends Error {}
