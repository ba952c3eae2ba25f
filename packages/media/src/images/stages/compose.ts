import type { Blend, ImageSteps } from '@carcosa/contracts';
import sharp, { type OverlayOptions } from 'sharp';
import { ImageFailure } from '../failure.ts';
import type { ImageLimits } from '../limits.ts';
import { openSource } from '../source/open-source.ts';
import { placed } from './place.ts';
import { type Raster, rasterOf } from './raster.ts';
import { drawText } from './text.ts';

/** The library spells two of them as the British do. */
const LIBRARY_BLENDS: Partial<Record<Blend, string>> = { 'color-dodge': 'colour-dodge', 'color-burn': 'colour-burn' };

/** Lays the overlay over the pixels, and the text over both, on each frame. */
export async function compose(
  base: Raster,
  steps: ImageSteps,
  { overlay, limits }: { overlay: string | undefined; limits: ImageLimits },
): Promise<Raster> {
  const layers = [
    ...(steps.overlay === undefined ? [] : [await overlayLayer(base, steps, overlay, limits)]),
    ...(steps.text === undefined ? [] : [await textLayer(base, steps)]),
  ];
  if (layers.length === 0) return base;
  const { width, height, frames } = base;
  const all = Array.from({ length: frames }, (_, frame) =>
    layers.map((layer) => (layer.top === undefined ? layer : { ...layer, top: layer.top + frame * height })),
  ).flat();
  const { data } = await sharp(base.data, { raw: { width, height: height * frames, channels: 4 } })
    .composite(all)
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { ...base, data };
}

async function overlayLayer(
  base: Raster,
  steps: ImageSteps,
  path: string | undefined,
  limits: ImageLimits,
): Promise<OverlayOptions> {
  if (path === undefined) throw new ImageFailure('failed', 'The overlay was not given.');
  const { overlayWidth, overlayHeight, overlayOpacity: opacity = 1, blend = 'over', tile } = steps;
  const size = { width: overlayWidth, height: overlayHeight };
  const opened = await openSource(path, { limits, steps: dropUndefined(size) });
  const fitting = opened.image.autoOrient().resize({
    width: Math.min(overlayWidth ?? base.width, base.width),
    height: Math.min(overlayHeight ?? base.height, base.height),
    fit: 'inside',
    withoutEnlargement: overlayWidth === undefined && overlayHeight === undefined,
  });
  const { data, width, height } = await rasterOf(fitting, 1);
  if (opacity < 1) for (let at = 3; at < data.length; at += 4) data[at] = Math.round((data[at] as number) * opacity);
  const layer = {
    input: data,
    raw: { width, height, channels: 4 as const },
    blend: (LIBRARY_BLENDS[blend] ?? blend) as NonNullable<OverlayOptions['blend']>,
  };
  if (tile) return { ...layer, tile: true, gravity: 'northwest' };
  const { overlayGravity = 'center', overlayX = 0, overlayY = 0 } = steps;
  return { ...layer, ...placed(overlayGravity, base, { width, height }, overlayX, overlayY) };
}

async function textLayer(base: Raster, steps: ImageSteps): Promise<OverlayOptions> {
  const { textGravity = 'center', textX = 0, textY = 0 } = steps;
  const drawn = await drawText(steps, Math.max(1, base.width - 2 * Math.abs(textX)));
  // A word that is wider than the picture does not wrap, and no layer may be larger than what it lies on.
  const fitting = sharp(drawn, { unlimited: false }).resize({
    ...{ width: base.width, height: base.height, fit: 'inside', withoutEnlargement: true },
  });
  const { data, width, height } = await rasterOf(fitting, 1);
  const at = placed(textGravity, base, { width, height }, textX, textY);
  return { input: data, raw: { width, height, channels: 4 }, ...at };
}

function dropUndefined(size: { width: number | undefined; height: number | undefined }): ImageSteps {
  return Object.fromEntries(Object.entries(size).filter(([, value]) => value !== undefined));
}
