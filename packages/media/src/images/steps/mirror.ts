import type { Step } from './step.ts';

export const mirror: Step = (image, { flip, flop }) => {
  const flipped = flip ? image.flip() : image;
  return flop ? flipped.flop() : flipped;
};
