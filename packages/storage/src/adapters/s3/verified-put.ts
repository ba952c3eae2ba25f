import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import type { Content, Etag, ObjectHead, PutOptions, S3Api } from './client.ts';
import { httpStatus, isPreconditionFailure } from './errors.ts';

/** How often bytes are sent that come to something else at the provider. */
const MAX_TRIES = 3;

/** Metadata of what we write under a final key: whose bytes these are, where an answer was lost or two writers met. */
const UPLOAD = 'carcosa-upload';
const WRITER = 'carcosa-writer';

/** Who writes an upload: a later writer has a higher generation, `id` is never used twice. */
export interface Writer {
  uploadId: string;
  generation: number;
  id: string;
}

export function writerMetadata(writer: Pick<Writer, 'uploadId'> & Partial<Writer>): Record<string, string> {
  const { uploadId, generation, id } = writer;
  return { [UPLOAD]: uploadId, ...(id ? { [WRITER]: `${generation} ${id}` } : {}) };
}

/** Whether an object under an upload's key came from that upload. */
export function isFrom(head: ObjectHead, uploadId: string): boolean {
  return head.metadata[UPLOAD] === uploadId;
}

/**
 * Sends `content` until the provider's ETag is its MD5 (where ETags are).
 * @throws CarcosaError `checksum_mismatch` when it is not, three times
 */
export async function sendVerified(content: Content, send: () => Promise<Etag>): Promise<string> {
  for (let tries = 1; ; tries++) {
    const answer = await send();
    if (matches(answer, content)) return answer.etag;
    if (tries === MAX_TRIES) throw corrupted();
  }
}

/**
 * Puts the whole content of an upload under its final key. A writer that was fenced may still do the same, before or after: it
 * never replaces what a later one wrote (where the provider heeds conditions on PUT, as AWS, R2, Ceph and MinIO do).
 * @throws CarcosaError `upload_fenced` when a later writer has been here, `checksum_mismatch`
 */
export async function putWhole(
  api: S3Api,
  key: string,
  content: Content,
  by: { writer: Writer; contentType: string },
): Promise<void> {
  const options = { contentType: by.contentType, metadata: writerMetadata(by.writer) };
  let condition: Pick<PutOptions, 'replaces'> | null = { replaces: 'absent' };
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const result = await tryPut(api, key, content, { ...options, ...condition });
    if (result === 'done') return;
    if (result === 'unconditional') {
      condition = null;
      continue;
    }
    // Something is there: our own bytes after a lost answer, or somebody's.
    const head = await api.head(key);
    if (head && holds(head, content)) return;
    if (head && !mayReplace(head, by.writer)) throw new CarcosaError('upload_fenced');
    if (condition) condition = { replaces: head ? { etag: head.etag } : 'absent' };
  }
  throw corrupted();
}

/** One try: done, or there is something else, or this provider knows no conditions on PUT. */
async function tryPut(
  api: S3Api,
  key: string,
  content: Content,
  options: PutOptions,
): Promise<'done' | 'other' | 'unconditional'> {
  try {
    return matches(await api.put(key, content, options), content) ? 'done' : 'other';
  } catch (error) {
    const { cause } = error as Error;
    if (isPreconditionFailure(cause)) return 'other';
    if (options.replaces && httpStatus(cause) === 501) return 'unconditional';
    if (!(isCarcosaError(error) && error.retryable)) throw error;
    // Only the answer may have been lost.
    const head = await api.head(key);
    if (head && holds(head, content)) return 'done';
    throw error;
  }
}

function holds(head: ObjectHead, content: Content): boolean {
  return head.md5 && head.size === content.bytes.length && matches(head, content);
}

/** Whether an object under an upload's key is that of an earlier writer, or our own. */
export function mayReplace(head: ObjectHead, writer: Writer): boolean {
  const [generation, id] = (head.metadata[WRITER] ?? '').split(' ');
  return isFrom(head, writer.uploadId) && (id === writer.id || Number(generation) < writer.generation);
}

function matches(answer: Etag, content: Content): boolean {
  return !answer.md5 || answer.etag === Buffer.from(content.md5, 'base64').toString('hex');
}

function corrupted(): CarcosaError {
  return new CarcosaError('checksum_mismatch', {
    message: `The bucket says again and again that it holds other bytes than were sent (its ETag is not their MD5).`,
  });
}
