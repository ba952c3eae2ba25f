import { colourOf, isOpaque } from './colour.ts';
import type { Step } from './step.ts';

/** Puts an opaque colour behind what is transparent; white where the format has no transparency and no colour was named. */
export const background: Step = (image, { background: digits, format }) => {
  const behind = digits !== undefined && isOpaque(digits) ? digits : undefined;
  if (behind === undefined && format !== 'jpeg') return image;
  return image.flatten({ background: colourOf(behind ?? 'ffffff') });
};
