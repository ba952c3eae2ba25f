import { fillOf } from './colour.ts';
import type { Step } from './step.ts';

export const pad: Step = (image, { pad: side, background }) =>
  side === undefined
    ? image
    : image.extend({ top: side, bottom: side, left: side, right: side, background: fillOf(background) });
