import type { Step } from './step.ts';

export const sharpen: Step = (image, { sharpen: sigma }) => (sigma === undefined ? image : image.sharpen({ sigma }));
