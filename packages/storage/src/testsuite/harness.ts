import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { isCarcosaError } from '@carcosa/kernel';
import { afterAll, beforeAll, expect } from 'vitest';
import type { ObjectStore, StagedObject } from '../port.ts';

/** One empty bucket of the adapter that is tested. */
export interface BucketHarness {
  readonly store: ObjectStore;
  /** Opens the same bucket once more, as another process would. The suite closes it. */
  openAgain(): Promise<ObjectStore>;
  /** Names of all that lies in the bucket and is no object: staged bytes, parts, what a client sent and nobody took. */
  leftovers(): Promise<string[]>;
  /** A number of bytes around which the adapter changes its ways, such as its size of a part; 1 or more. */
  readonly boundary: number;
  /** The largest content that the random tests use; default 5 boundaries. */
  readonly largest?: number;
  /** How often each random test runs; default 20. */
  readonly runs?: number;
  close(): Promise<void>;
}

export type OpenBucket = () => Promise<BucketHarness>;

/** Opens the bucket before the tests of a `describe` block and closes it after them. */
export function useBucket(open: OpenBucket): () => BucketHarness {
  let harness: BucketHarness | null = null;
  beforeAll(async () => {
    harness = await open();
  });
  afterAll(() => harness?.close());
  return () => {
    if (!harness) throw new Error('the bucket is not open');
    return harness;
  };
}

let count = 0;
const run = randomBytes(4).toString('hex');

/** A key that no other test uses; odd on purpose. */
export const freshKey = (name = 'x'): string => `org_${run}/pr~j/t=1/folder+%2e@,-_/${name}~obj_${count++}.bin`;

export const freshUploadId = (): string => `upl_${run}${count++}`;

/** Bytes that differ everywhere, and from those of another call. */
export const someBytes = (length: number): Buffer => randomBytes(length);

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export async function readAll(
  store: ObjectStore,
  key: string,
  range?: { start: number; end: number },
): Promise<Buffer> {
  return buffer(await store.read(key, range ? { range } : {}));
}

/** Appends `bytes` in pieces of at most `size`, as a socket would. */
export async function appendAll(staged: StagedObject, bytes: Buffer, size = 64 * 1024): Promise<void> {
  for (let at = 0; at < bytes.length; at += size) await staged.append(Buffer.from(bytes.subarray(at, at + size)));
}

/** Puts an object in the one way that every adapter has. */
export async function put(store: ObjectStore, key: string, bytes: Buffer): Promise<void> {
  const contentType = 'application/octet-stream';
  const staged = await store.stage({ uploadId: freshUploadId(), key, size: bytes.length, contentType });
  await appendAll(staged, bytes);
  await staged.sync();
  await staged.commit(key);
}

/** The codes of all CarcosaErrors that `work` may fail with; its success when it does not. */
export async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (isCarcosaError(error)) return error.code;
    throw error;
  }
}

export async function expectError(work: Promise<unknown> | undefined, ...codes: string[]): Promise<void> {
  expect(codes).toContain(await outcome(Promise.resolve(work)));
}
