import { createHash } from 'node:crypto';
import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import type { S3Api } from './client.ts';
import { isFrom } from './verified-put.ts';

/** How often a multipart upload is ended to which somebody else keeps adding. */
const MAX_TRIES = 5;

export interface Completion {
  key: string;
  /** The provider's id of the multipart upload. */
  id: string;
  parts: { number: number; etag: string }[];
  uploadId: string;
  /** Bytes of all parts; `null` where they are not known. */
  size: number | null;
}

/**
 * Makes the object of these parts, once: right too where it was made before, or where the answer says otherwise than the bucket.
 * @throws CarcosaError `not_found` when there is neither the multipart upload nor the object, `checksum_mismatch`
 */
export async function completeOnce(api: S3Api, completion: Completion): Promise<void> {
  const expected = multipartEtag(completion.parts.map(({ etag }) => etag));
  try {
    const answer = await api.completeMultipart(completion.key, completion.id, completion.parts);
    if (!answer.md5 || answer.etag === expected) return;
  } catch (error) {
    // The answer to an earlier request may have been lost, or this one's error may have come after the deed.
    if (!(isCarcosaError(error) && (error.retryable || error.code === 'not_found'))) throw error;
    if (await isCompleted(api, completion, expected)) return;
    // Some servers (Ceph) say 500 of a multipart upload that there is not.
    if (error.retryable && !(await api.listParts(completion.key, completion.id))) {
      throw new CarcosaError('not_found', { cause: error });
    }
    throw error;
  }
  if (await isCompleted(api, completion, expected)) return;
  throw new CarcosaError('checksum_mismatch', { message: 'The bucket has put other parts together than were sent.' });
}

/** Ends a multipart upload with whatever parts it holds; afterwards nobody can send more. It may have ended before. */
export async function completeAll(api: S3Api, key: string, id: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const parts = await api.listParts(key, id);
    if (!parts) return;
    try {
      await api.completeMultipart(key, id, parts);
      return;
    } catch (error) {
      // A part that came meanwhile makes the list wrong for some providers.
      const again =
        isCarcosaError(error) && (error.retryable || ['checksum_mismatch', 'not_found'].includes(error.code));
      if (!again || tries === MAX_TRIES) throw error;
    }
  }
}

async function isCompleted(api: S3Api, completion: Completion, expected: string | null): Promise<boolean> {
  const head = await api.head(completion.key);
  if (!head || !isFrom(head, completion.uploadId)) return false;
  if (completion.size !== null && head.size !== completion.size) return false;
  return !head.md5 || expected === null || head.etag === expected;
}

/** The ETag of an object made of parts whose ETags are MD5 sums; `null` when they are not. */
function multipartEtag(etags: readonly string[]): string | null {
  if (!etags.every((etag) => /^[0-9a-f]{32}$/.test(etag))) return null;
  const md5 = createHash('md5');
  for (const etag of etags) md5.update(etag, 'hex');
  return `${md5.digest('hex')}-${etags.length}`;
}
