import { ImpossibleStep, type Step } from './step.ts';

/** After turning and trimming, whose result only the library knows: it finds itself what lies outside then. */
export const crop: Step = (image, { crop: area, rotate, trim }, source) => {
  if (!area) return image;
  const { x, y, width, height } = area;
  const isOutside = x + width > source.width || y + height > source.height;
  if (isOutside && rotate === undefined && trim === undefined) {
    throw new ImpossibleStep(
      `The area does not lie within the picture, which has ${source.width} x ${source.height} pixels.`,
    );
  }
  return image.extract({ left: x, top: y, width, height });
};
