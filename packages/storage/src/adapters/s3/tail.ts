import { Buffer } from 'node:buffer';
import { buffer } from 'node:stream/consumers';
import { CarcosaError } from '@carcosa/kernel';
import type { BufferPool } from './buffer-pool.ts';
import type { S3Api } from './client.ts';
import { openBody } from './object-body.ts';
import { contentOf, PartBuffer } from './part-buffer.ts';
import { partCount, type Segment, type StagedState, segmentsLength } from './staged-state.ts';
import { sendVerified } from './verified-put.ts';

/**
 * Saves the bytes of a part that is not full yet, beyond those that `saved` holds already.
 * @param target how many bytes of the part, and the name of the new segment
 */
export async function saveTail(
  api: S3Api,
  part: PartBuffer,
  saved: readonly Segment[],
  target: { length: number; key: string },
): Promise<Segment[]> {
  const kept = keepLarger(saved, target.length);
  const start = segmentsLength(kept);
  const content = contentOf(part.slice(start, target.length));
  await sendVerified(content, () => api.put(target.key, content));
  return [...kept, { key: target.key, size: target.length - start }];
}

/**
 * The segments that stay when the tail grows to `length`: those that are larger than the one which follows them then. So each
 * byte is written few times however often the tail is saved, and segments are at most as many as the logarithm of its bytes.
 */
export function keepLarger(saved: readonly Segment[], length: number): Segment[] {
  const kept = [...saved];
  let start = segmentsLength(kept);
  for (let last = kept.at(-1); last && last.size <= length - start; last = kept.at(-1)) {
    start -= last.size;
    kept.pop();
  }
  return kept;
}

/** The first `length` bytes that the segments hold. @throws CarcosaError `not_found` when one is missing */
export async function loadTail(api: S3Api, segments: readonly Segment[], length: number): Promise<Buffer> {
  const pieces = await Promise.all(segments.map(({ key, size }) => readAll(api, key, size)));
  return Buffer.concat(pieces).subarray(0, length);
}

/** The part that is not full yet, as it is saved. */
export async function loadPart(api: S3Api, saved: StagedState, buffers: BufferPool): Promise<PartBuffer> {
  const index = partCount(saved);
  const part = new PartBuffer(index, saved.partSize, buffers);
  part.append(await loadTail(api, saved.tail, saved.length - index * saved.partSize));
  return part;
}

/** The first bytes, at most `object.length`: from where they are kept, or from the object itself, whose whole name `object.key` is. */
export function loadHead(api: S3Api, saved: StagedState, object: { key: string; length: number }): Promise<Buffer> {
  const { head, whole, length } = saved;
  const key = whole || !head ? object.key : head;
  return loadTail(api, [{ key, size: Math.min(length, object.length) }], object.length);
}

/** The segments that hold the first `length` bytes, the last perhaps only in part. */
export function cutTail(segments: readonly Segment[], length: number): Segment[] {
  const cut: Segment[] = [];
  let rest = length;
  for (const { key, size } of segments) {
    if (rest > 0) cut.push({ key, size: Math.min(size, rest) });
    rest -= size;
  }
  return cut;
}

async function readAll(api: S3Api, key: string, size: number): Promise<Buffer> {
  const bytes = await buffer(await openBody(api, key, { range: { start: 0, end: size - 1 } }));
  if (bytes.length === size) return bytes;
  throw new CarcosaError('storage_unavailable', {
    message: 'The bucket has lost acknowledged bytes of an upload.',
    retryable: false,
  });
}
