import type { ResolvedTransform } from '@carcosa/contracts';
import type { Sharp } from 'sharp';
import { background } from './steps/background.ts';
import { blur } from './steps/blur.ts';
import { contrast } from './steps/contrast.ts';
import { crop } from './steps/crop.ts';
import { encode } from './steps/encode.ts';
import { grayscale } from './steps/grayscale.ts';
import { mirror } from './steps/mirror.ts';
import { modulate } from './steps/modulate.ts';
import { orient } from './steps/orient.ts';
import { pad } from './steps/pad.ts';
import { resize } from './steps/resize.ts';
import { rotate } from './steps/rotate.ts';
import { sharpen } from './steps/sharpen.ts';
import type { Source, Step } from './steps/step.ts';
import { tint } from './steps/tint.ts';
import { trim } from './steps/trim.ts';

/**
 * All steps, in their order. A new one is a file beside these and a line here. The library puts mirroring behind the resizing where
 * nothing is turned.
 */
const STEPS: readonly Step[] = [
  orient,
  mirror,
  rotate,
  trim,
  crop,
  resize,
  pad,
  background,
  blur,
  sharpen,
  modulate,
  contrast,
  tint,
  grayscale,
  encode,
];

/** Adds every step that the transform asks for. @throws ImpossibleStep */
export function buildPipeline(image: Sharp, transform: ResolvedTransform, source: Source): Sharp {
  return STEPS.reduce((so, step) => step(so, transform, source), image);
}
