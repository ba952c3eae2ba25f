import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import type { Content, S3Api } from './client.ts';
import { multipartEtag, PartLog } from './part-log.ts';
import { isFrom, sendVerified } from './verified-put.ts';

/** One upload's multipart upload at the provider. It lies at the final key, which shows nothing of it until it is completed. */
export class Multipart {
  readonly id: string;
  readonly log: PartLog;
  readonly #api: S3Api;
  readonly #key: string;

  constructor(api: S3Api, key: string, id: string, log = PartLog.empty()) {
    this.#api = api;
    this.#key = key;
    this.id = id;
    this.log = log;
  }

  /** Sends one part to the place that the log gave it. */
  async send(place: { index: number; number: number }, content: Content): Promise<void> {
    const etag = await sendVerified(content, () => this.#api.uploadPart(this.#key, this.id, place.number, content));
    this.log.settle(place.index, etag);
  }

  /**
   * Makes the object of all parts, once: right too where it was made before, or where the answer says otherwise than the bucket.
   * @throws CarcosaError `not_found` when there is neither the multipart upload nor the object, `checksum_mismatch`
   */
  async complete(uploadId: string, size: number): Promise<void> {
    const parts = this.log.list();
    await completeOnce(this.#api, { key: this.#key, id: this.id, parts, uploadId, size });
  }
}

/** Completes a multipart upload of ours; see {@link Multipart.complete}. `size` in bytes, `null` where it is not known. */
export async function completeOnce(
  api: S3Api,
  upload: { key: string; id: string; parts: { number: number; etag: string }[]; uploadId: string; size: number | null },
): Promise<void> {
  const expected = multipartEtag(upload.parts.map(({ etag }) => etag));
  try {
    const answer = await api.completeMultipart(upload.key, upload.id, upload.parts);
    if (!answer.md5 || answer.etag === expected) return;
  } catch (error) {
    // The answer to an earlier request may have been lost, or this one's error may have come after the deed.
    if (!(isCarcosaError(error) && (error.retryable || error.code === 'not_found'))) throw error;
    if (await isCompleted(api, upload, expected)) return;
    // Some servers say 500 of a multipart upload that there is not.
    if (error.retryable && !(await api.listParts(upload.key, upload.id))) throw new CarcosaError('not_found', { cause: error });
    throw error;
  }
  if (await isCompleted(api, upload, expected)) return;
  throw new CarcosaError('checksum_mismatch', { message: 'The bucket has put other parts together than were sent.' });
}

async function isCompleted(
  api: S3Api,
  upload: { key: string; uploadId: string; size: number | null },
  expected: string | null,
): Promise<boolean> {
  const head = await api.head(upload.key);
  if (!head || !isFrom(head, upload.uploadId)) return false;
  if (upload.size !== null && head.size !== upload.size) return false;
  return !head.md5 || expected === null || head.etag === expected;
}
