import type { Step } from './step.ts';

export const modulate: Step = (image, { brightness, saturation, hue }) => {
  if (brightness === undefined && saturation === undefined && hue === undefined) return image;
  return image.modulate({
    ...(brightness === undefined ? {} : { brightness }),
    ...(saturation === undefined ? {} : { saturation }),
    ...(hue === undefined ? {} : { hue }),
  });
};
