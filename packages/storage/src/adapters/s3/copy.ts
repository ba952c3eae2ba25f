import { CarcosaError } from '@carcosa/kernel';
import type { S3Api } from './client.ts';
import { completeOnce } from './completion.ts';
import { copyParts } from './copy-parts.ts';
import { writerMetadata } from './verified-put.ts';

const MIB = 1024 * 1024;
/** Large enough for 5 TiB in 10,000 parts, small enough to take seconds. */
const COPY_PART = 256 * MIB;
const LARGE_COPY_PART = 640 * MIB;
/**
 * Copies within the bucket, without the bytes coming here. @throws CarcosaError `not_found`
 * @param id what names the copy in its metadata, so that a lost answer can be told from a copy that was not made
 */
export async function copyObject(api: S3Api, from: string, to: string, id: string): Promise<void> {
  const source = await api.head(from);
  if (!source) throw new CarcosaError('not_found');
  if (source.size <= api.config.copyLimit) {
    await api.copy(from, to, { etag: source.etag });
    return;
  }
  const partSize = Math.min(api.config.copyLimit, source.size > 9_000 * COPY_PART ? LARGE_COPY_PART : COPY_PART);
  const upload = await api.createMultipart(to, {
    contentType: source.contentType,
    metadata: writerMetadata({ uploadId: id }),
  });
  try {
    const count = Math.ceil(source.size / partSize);
    const etags = await copyParts(
      api,
      { key: from, etag: source.etag },
      { key: to, id: upload },
      { count, partSize, size: source.size },
    );
    const parts = etags.map((etag, index) => ({ number: index + 1, etag }));
    await completeOnce(api, { key: to, id: upload, parts, uploadId: id, size: source.size });
  } catch (error) {
    await api.abortMultipart(to, upload).catch(() => {});
    throw error;
  }
}
