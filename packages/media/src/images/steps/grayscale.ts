import type { Step } from './step.ts';

export const grayscale: Step = (image, { grayscale: isGray }) => (isGray ? image.grayscale() : image);
