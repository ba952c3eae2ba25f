import type { ImageFault } from './protocol.ts';
import { ImpossibleStep } from './steps/step.ts';

/** Why a picture could not be made; the message is for the client. */
export class ImageFailure extends Error {
  readonly fault: ImageFault;

  constructor(fault: ImageFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** The library tells what happened in words alone. */
export function failureOf(error: unknown): ImageFailure {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof ImpossibleStep) return new ImageFailure('impossible', text);
  if (/exceeds pixel limit|too large for the .* format|Processed image is too large/i.test(text))
    return new ImageFailure('too-large', 'It has more pixels than a picture may have.');
  if (/No space left|ENOSPC|EDQUOT/i.test(text))
    return new ImageFailure('disk-full', 'There is no room for the result.');
  if (/bad extract area|extract_area/i.test(text))
    return new ImageFailure('impossible', 'The area does not lie within the picture.');
  if (/is not supported for multi-page/i.test(text))
    return new ImageFailure('impossible', 'A step of this transform cannot be done to an animation.');
  const line = text.split('\n')[0] ?? '';
  return new ImageFailure('unreadable', line.replace(/\/[^\s:]*\//g, '').slice(0, 200));
}
