import { CarcosaError, type ErrorCode } from '@carcosa/kernel';
import { MediaFailure, type MediaFault } from '@carcosa/media';

const CODES = {
  unreadable: 'media_unreadable',
  'too-large': 'media_too_large',
  impossible: 'invalid_request',
  'disk-full': 'storage_full',
  aborted: 'shutting_down',
  'source-missing': 'storage_unavailable',
} as const satisfies Record<MediaFault, ErrorCode>;

/** What went wrong, as everybody else says it. */
export function mediaError(error: unknown): unknown {
  if (!(error instanceof MediaFailure)) return error;
  return new CarcosaError(CODES[error.fault], { message: error.message });
}
