import type { Step } from './step.ts';

export const blur: Step = (image, { blur: sigma }) => (sigma === undefined ? image : image.blur(sigma));
