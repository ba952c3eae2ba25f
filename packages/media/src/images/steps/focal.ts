import type { Step } from './step.ts';

/** As `cover`, but with the part that stays as near to a point as the edges of the picture let it be. */
export const focal: Step = (image, { focal: point, width, height, enlarge }, source) => {
  if (!point || width === undefined || height === undefined) return image;
  const wanted = Math.max(width / source.width, height / source.height);
  const scale = enlarge ? wanted : Math.min(1, wanted);
  const whole = { width: Math.round(source.width * scale), height: Math.round(source.height * scale) };
  const part = { width: Math.min(width, whole.width), height: Math.min(height, whole.height) };
  const start = (at: number, length: number, of: number): number =>
    Math.round(Math.min(Math.max(0, at * of - length / 2), of - length));
  return image.resize({ ...whole, fit: 'fill' }).extract({
    left: start(point.x, part.width, whole.width),
    top: start(point.y, part.height, whole.height),
    ...part,
  });
};
