import type { Sharp } from 'sharp';
import { background } from './steps/background.ts';
import { blur } from './steps/blur.ts';
import { contrast } from './steps/contrast.ts';
import { crop } from './steps/crop.ts';
import { focal } from './steps/focal.ts';
import { grayscale } from './steps/grayscale.ts';
import { mirror } from './steps/mirror.ts';
import { modulate } from './steps/modulate.ts';
import { orient } from './steps/orient.ts';
import { pad } from './steps/pad.ts';
import { resize } from './steps/resize.ts';
import { rotate } from './steps/rotate.ts';
import { sharpen } from './steps/sharpen.ts';
import type { FormattedSteps, Source, Step } from './steps/step.ts';
import { tint } from './steps/tint.ts';
import { trim } from './steps/trim.ts';

/**
 * All steps of a group, in their order; what is laid over the picture comes after them. A new one is a file beside these and a line here. The library puts mirroring behind the resizing where
 * nothing is turned.
 */
const STEPS: readonly Step[] = [
  orient,
  mirror,
  rotate,
  trim,
  crop,
  resize,
  focal,
  pad,
  background,
  blur,
  sharpen,
  modulate,
  contrast,
  tint,
  grayscale,
];

/** Adds every step of a group that the library does by itself. @throws ImpossibleStep */
export function buildPipeline(image: Sharp, steps: FormattedSteps, source: Source): Sharp {
  return STEPS.reduce((so, step) => step(so, steps, source), image);
}
