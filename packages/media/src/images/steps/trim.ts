import type { Step } from './step.ts';

export const trim: Step = (image, { trim: threshold }) => (threshold === undefined ? image : image.trim({ threshold }));
