import { colourOf } from './colour.ts';
import type { Step } from './step.ts';

export const tint: Step = (image, { tint: digits }) => {
  if (digits === undefined) return image;
  const { r, g, b } = colourOf(digits);
  return image.tint({ r, g, b });
};
