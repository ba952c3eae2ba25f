import { buffer } from 'node:stream/consumers';
import type { S3Api } from './client.ts';
import { Gate } from './gate.ts';
import { openBody } from './object-body.ts';
import { contentOf } from './part-buffer.ts';
import { sendVerified } from './verified-put.ts';

/** Parts of one copy that the provider works on at a time. */
const WIDTH = 8;

interface Shape {
  count: number;
  /** Bytes of every part but the last. */
  partSize: number;
  /** Bytes of all parts. */
  size: number;
}

/** Fills parts 1 to `count` of a multipart upload from the beginning of an object, within the bucket; returns their ETags. */
export async function copyParts(
  api: S3Api,
  source: { key: string; etag: string },
  target: { key: string; id: string },
  shape: Shape,
): Promise<string[]> {
  const gate = new Gate(WIDTH);
  return Promise.all(
    rangesOf(shape).map((range, index) =>
      gate.run(() => api.copyPart(target.key, target.id, index + 1, { ...source, ...range })),
    ),
  );
}

/** As {@link copyParts}, through us: one part at a time in memory. */
export async function rewriteParts(
  api: S3Api,
  source: { key: string; etag: string },
  target: { key: string; id: string },
  shape: Shape,
): Promise<string[]> {
  const etags: string[] = [];
  for (const [index, range] of rangesOf(shape).entries()) {
    const content = contentOf(await buffer(await openBody(api, source.key, { range })));
    etags.push(await sendVerified(content, () => api.uploadPart(target.key, target.id, index + 1, content)));
  }
  return etags;
}

function rangesOf({ count, partSize, size }: Shape): { start: number; end: number }[] {
  return Array.from({ length: count }, (_, index) => {
    const start = index * partSize;
    return { start, end: Math.min(start + partSize, size) - 1 };
  });
}
