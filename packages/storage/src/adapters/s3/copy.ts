import { CarcosaError } from '@carcosa/kernel';
import type { S3Api } from './client.ts';
import { Gate } from './gate.ts';
import { completeOnce } from './multipart.ts';
import { writerMetadata } from './verified-put.ts';

const MIB = 1024 * 1024;
/** Large enough for 5 TiB in 10,000 parts, small enough to take seconds. */
const COPY_PART = 256 * MIB;
const LARGE_COPY_PART = 640 * MIB;
/** Parts of one copy that the provider works on at a time. */
const WIDTH = 4;

export interface CopySource {
  key: string;
  etag: string;
}

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
  const upload = await api.createMultipart(to, { contentType: source.contentType, metadata: writerMetadata({ uploadId: id }) });
  try {
    const count = Math.ceil(source.size / partSize);
    const etags = await copyParts(api, { key: from, etag: source.etag }, { key: to, id: upload }, { count, partSize, size: source.size });
    const parts = etags.map((etag, index) => ({ number: index + 1, etag }));
    await completeOnce(api, { key: to, id: upload, parts, uploadId: id, size: source.size });
  } catch (error) {
    await api.abortMultipart(to, upload).catch(() => {});
    throw error;
  }
}

/** Fills parts 1 to `count` of a multipart upload from the beginning of an object of `size` bytes; returns their ETags. */
export async function copyParts(
  api: S3Api,
  source: CopySource,
  target: { key: string; id: string },
  shape: { count: number; partSize: number; size: number },
): Promise<string[]> {
  const gate = new Gate(WIDTH);
  return Promise.all(
    Array.from({ length: shape.count }, (_, index) => {
      const start = index * shape.partSize;
      const end = Math.min(start + shape.partSize, shape.size) - 1;
      return gate.run(() => api.copyPart(target.key, target.id, index + 1, { ...source, start, end }));
    }),
  );
}
