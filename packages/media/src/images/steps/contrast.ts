import type { Step } from './step.ts';

const MIDDLE = 128;

/** Around the middle grey, which stays as it is. */
export const contrast: Step = (image, { contrast: factor }) =>
  factor === undefined ? image : image.linear(factor, MIDDLE * (1 - factor));
