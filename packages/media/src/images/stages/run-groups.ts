import type { ImageSteps, ResolvedTransform } from '@carcosa/contracts';
import type { Sharp } from 'sharp';
import type { ImageLimits } from '../limits.ts';
import { buildPipeline } from '../pipeline.ts';
import type { OpenedSource } from '../source/open-source.ts';
import { colourOf, isOpaque } from '../steps/colour.ts';
import type { Source } from '../steps/step.ts';
import { compose } from './compose.ts';
import { imageOf, rasterOf } from './raster.ts';
import { roundCorners } from './round.ts';

interface Work {
  readonly limits: ImageLimits;
  /** In the order of the groups that have one. */
  readonly overlays: readonly string[];
}

/** Done before a focal point is looked for: it is a point of what is left then. */
const BEFORE_FOCAL = ['flip', 'flop', 'rotate', 'trim', 'crop', 'background'] as const satisfies (keyof ImageSteps)[];

/** Everything but the encoding. Pixels are made only where the library cannot go on from one step to the next by itself. */
export async function runGroups(opened: OpenedSource, transform: ResolvedTransform, work: Work): Promise<Sharp> {
  const { next = [], format } = transform;
  const groups = [transform, ...next].flatMap(splitFocal);
  const overlays = [...work.overlays];
  let image = opened.image;
  let source: Source = opened;
  for (const [at, steps] of groups.entries()) {
    image = buildPipeline(image, { ...steps, format }, source);
    const isLast = at === groups.length - 1;
    const isOverlaid = steps.overlay !== undefined || steps.text !== undefined;
    if (!isOverlaid && steps.round === undefined && isLast) return image;
    const below = await rasterOf(image, opened.frames);
    const overlay = steps.overlay === undefined ? undefined : overlays.shift();
    const raster = await compose(below, steps, { overlay, limits: work.limits });
    if (steps.round !== undefined) roundCorners(raster, steps.round);
    image = imageOf(raster);
    source = raster;
    if (isLast && format === 'jpeg') image = image.flatten({ background: behind(steps) });
  }
  return image;
}

function behind({ background }: ImageSteps) {
  return colourOf(background !== undefined && isOpaque(background) ? background : 'ffffff');
}

function splitFocal(steps: ImageSteps): ImageSteps[] {
  const isTurned = steps.rotate !== undefined || steps.trim !== undefined || steps.crop !== undefined;
  if (steps.focal === undefined || !isTurned) return [steps];
  const first = Object.fromEntries(
    BEFORE_FOCAL.flatMap((name) => (steps[name] === undefined ? [] : [[name, steps[name]]])),
  );
  const { flip: _flip, flop: _flop, rotate: _rotate, trim: _trim, crop: _crop, ...rest } = steps;
  return [first, rest];
}
