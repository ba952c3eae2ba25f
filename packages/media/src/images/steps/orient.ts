import type { Step } from './step.ts';

/** Turns the picture upright, as its EXIF data says: everything after it counts from there. */
export const orient: Step = (image) => image.autoOrient();
