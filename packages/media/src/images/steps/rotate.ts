import { fillOf } from './colour.ts';
import type { Step } from './step.ts';

/** Before the resizing, so that width and height are those of the result. */
export const rotate: Step = (image, { rotate: degrees, background }) =>
  degrees === undefined ? image : image.rotate(degrees, { background: fillOf(background) });
