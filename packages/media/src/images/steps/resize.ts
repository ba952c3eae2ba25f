import type { Fit, Gravity } from '@carcosa/contracts';
import { fillOf } from './colour.ts';
import type { Step } from './step.ts';

/**
 * Where it can, the library decodes only as much as the new size needs. One side alone keeps the shape of the picture whatever
 * the fit, so that the fit counts only with both.
 */
export const resize: Step = (image, transform) => {
  const { width, height, enlarge, background } = transform;
  const fit: Fit = transform.fit ?? 'cover';
  // A focal point has been looked up by now.
  const gravity: Gravity = transform.gravity ?? 'center';
  if ((width === undefined && height === undefined) || transform.focal !== undefined) return image;
  return image.resize({
    ...(width === undefined ? {} : { width }),
    ...(height === undefined ? {} : { height }),
    fit,
    position: positionOf(gravity),
    withoutEnlargement: enlarge !== true,
    background: fillOf(background),
  });
};

/** The library's own name of each place. */
function positionOf(gravity: Gravity): string {
  return gravity === 'center' || gravity === 'focal' ? 'centre' : gravity;
}
