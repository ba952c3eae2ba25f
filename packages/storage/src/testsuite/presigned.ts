import { describe, expect, it } from 'vitest';
import type { PresignCapability, PresignedRequest, StagedRef } from '../port.ts';
import {
  expectError,
  freshKey,
  freshUploadId,
  type OpenBucket,
  outcome,
  put,
  readAll,
  someBytes,
  useBucket,
} from './harness.ts';

const contentType = 'image/png';
const expiresIn = 600;

interface Begun {
  uploadId: string;
  key: string;
  ref: StagedRef;
}

/** Sends a signed request as any client would. Headers that a client sets by itself are not among those that it is told. */
function send(
  signed: PresignedRequest,
  body?: Buffer,
  change: { method?: string; url?: string; headers?: Record<string, string> } = {},
) {
  return fetch(change.url ?? signed.url, {
    method: change.method ?? signed.method,
    headers: { ...signed.headers, ...change.headers },
    ...(body ? { body: new Uint8Array(body) } : {}),
  });
}

/** Requests that a client sends straight to the bucket: what is signed can be done, and nothing else. */
export function describePresigned(open: OpenBucket): void {
  describe('signed addresses', () => {
    const bucket = useBucket(open);

    const begin = async (presign: PresignCapability, strategy: 'single' | 'multipart'): Promise<Begun> => {
      const upload = { uploadId: freshUploadId(), key: freshKey() };
      return { ...upload, ref: await presign.begin({ ...upload, strategy, contentType }) };
    };
    /** The tests of an adapter without the capability end at once. */
    const offered = (name: string, test: (presign: PresignCapability) => Promise<void>) =>
      it(name, async (context) => {
        const { presign } = bucket().store;
        if (!presign) return context.skip('this adapter signs no addresses');
        await test(presign);
      });

    offered('take a single PUT', async (presign) => {
      for (const size of [0, 1, 5_000]) {
        const { key, ref, uploadId } = await begin(presign, 'single');
        const bytes = someBytes(size);
        await expectError(presign.finish(ref, key, []), 'upload_incomplete');
        expect(await presign.parts(ref)).toEqual([]);
        const signed = await presign.signPut({ ref, size, contentType, expiresIn });
        expect(signed.method).toBe('PUT');
        expect((await send(signed, bytes)).status).toBe(200);
        expect(await bucket().store.stat(key)).toBeNull();
        const [part] = await presign.parts(ref);
        expect(part).toMatchObject({ partNumber: 1, size });
        await expectError(presign.finish(ref, key, [{ partNumber: 1, etag: 'f'.repeat(32) }]), 'checksum_mismatch');
        expect(await presign.finish(ref, key, [{ partNumber: 1, etag: part?.etag ?? '' }])).toMatchObject({
          key,
          size,
        });
        expect((await readAll(bucket().store, key)).equals(bytes)).toBe(true);
        expect((await bucket().leftovers()).filter((name) => name.includes(uploadId))).toEqual([]);
      }
    });

    offered('take no PUT that differs from what was signed', async (presign) => {
      const { ref } = await begin(presign, 'single');
      const bytes = someBytes(1000);
      const signed = await presign.signPut({ ref, size: bytes.length, contentType, expiresIn });
      const elsewhere = new URL(signed.url);
      elsewhere.pathname += 'x';
      const later = new URL(signed.url);
      later.searchParams.set('X-Amz-Expires', '604800');
      expect((await send(signed, bytes.subarray(1))).status).toBe(403);
      expect((await send(signed, Buffer.concat([bytes, Buffer.alloc(1)]))).status).toBe(403);
      expect((await send(signed, bytes, { headers: { 'content-type': 'text/html' } })).status).toBe(403);
      expect((await send(signed, bytes, { method: 'POST' })).status).toBe(403);
      expect((await send(signed, undefined, { method: 'DELETE' })).status).toBe(403);
      expect((await send(signed, undefined, { method: 'GET' })).status).toBe(403);
      expect((await send(signed, bytes, { url: elsewhere.href })).status).toBe(403);
      expect((await send(signed, bytes, { url: later.href })).status).toBe(403);
      expect(await presign.parts(ref)).toEqual([]);
    });

    offered('expire', async (presign) => {
      const { ref, key } = await begin(presign, 'single');
      await put(bucket().store, key, someBytes(10));
      const signed = await presign.signGet({ key, expiresIn: 1 });
      const signedPut = await presign.signPut({ ref, size: 10, contentType, expiresIn: 1 });
      const deadline = performance.now() + 10_000;
      while ((await send(signed)).status === 200 && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect((await send(signed)).status).toBe(403);
      expect((await send(signedPut, someBytes(10))).status).toBe(403);
    });

    offered('never change what was acknowledged, sent once more', async (presign) => {
      const { key, ref, uploadId } = await begin(presign, 'single');
      const bytes = someBytes(1000);
      const signed = await presign.signPut({ ref, size: bytes.length, contentType, expiresIn });
      await send(signed, bytes);
      const parts = await presign.parts(ref);
      const done = parts.map(({ partNumber, etag }) => ({ partNumber, etag }));
      const first = await presign.finish(ref, key, done);
      await send(signed, someBytes(1000));
      expect(await presign.finish(ref, key, done)).toEqual(first);
      expect((await readAll(bucket().store, key)).equals(bytes)).toBe(true);
      await send(signed, someBytes(1000));
      await bucket().store.discard({ uploadId, key, ref });
      expect((await bucket().leftovers()).filter((name) => name.includes(uploadId))).toEqual([]);
      expect((await readAll(bucket().store, key)).equals(bytes)).toBe(true);
    });

    offered('take parts in any order, any number at a time', async (presign) => {
      const size = Math.min(bucket().boundary, presign.limits.minPartSize);
      const { key, ref, uploadId } = await begin(presign, 'multipart');
      const bytes = someBytes(3 * size + 11);
      const cut = (partNumber: number) => bytes.subarray((partNumber - 1) * size, partNumber * size);
      const upload = async (partNumber: number, content = cut(partNumber)) => {
        const signed = await presign.signPart({ ref, partNumber, size: content.length, expiresIn });
        const answer = await send(signed, content);
        expect(answer.status).toBe(200);
        return { partNumber, etag: answer.headers.get('etag') ?? '' };
      };
      const replaced = await upload(2, someBytes(size));
      const [four, two, one] = await Promise.all([upload(4), upload(2), upload(1)]);
      await expectError(
        presign.finish(ref, key, [one, two, { partNumber: 3, etag: two.etag }, four]),
        'upload_incomplete',
      );
      const three = await upload(3);
      const held = await presign.parts(ref);
      expect(held.map(({ partNumber, size: bytesHeld }) => [partNumber, bytesHeld])).toEqual([
        [1, size],
        [2, size],
        [3, size],
        [4, 11],
      ]);
      await expectError(presign.finish(ref, key, [one, replaced, three, four]), 'checksum_mismatch');
      const made = await presign.finish(ref, key, [one, two, three, four]);
      expect(made).toMatchObject({ key, size: bytes.length });
      expect(await presign.finish(ref, key, [one, two, three, four])).toEqual(made);
      expect((await readAll(bucket().store, key)).equals(bytes)).toBe(true);
      const late = await presign.signPart({ ref, partNumber: 1, size, expiresIn });
      expect((await send(late, someBytes(size))).status).toBeGreaterThanOrEqual(400);
      await bucket().store.discard({ uploadId, key, ref });
      expect((await readAll(bucket().store, key)).equals(bytes)).toBe(true);
    });

    offered('take no part of another length, number or upload', async (presign) => {
      const { ref } = await begin(presign, 'multipart');
      const bytes = someBytes(2000);
      const signed = await presign.signPart({ ref, partNumber: 1, size: bytes.length, expiresIn });
      const other = new URL(signed.url);
      other.searchParams.set('partNumber', '2');
      expect((await send(signed, bytes.subarray(1))).status).toBe(403);
      expect((await send(signed, bytes, { url: other.href })).status).toBe(403);
      expect((await send(signed, undefined, { method: 'DELETE' })).status).toBe(403);
      expect(await presign.parts(ref)).toEqual([]);
    });

    offered('lead nowhere once the upload is discarded', async (presign) => {
      const { key, ref, uploadId } = await begin(presign, 'multipart');
      const bytes = someBytes(2000);
      const signed = await presign.signPart({ ref, partNumber: 1, size: bytes.length, expiresIn });
      const etag = (await send(signed, bytes)).headers.get('etag') ?? '';
      await bucket().store.discard({ uploadId, key, ref });
      expect((await send(signed, bytes)).status).toBeGreaterThanOrEqual(400);
      expect(await outcome(presign.finish(ref, key, [{ partNumber: 1, etag }]))).not.toBe('done');
      expect((await bucket().leftovers()).filter((name) => name.includes(uploadId) || name.includes(key))).toEqual([]);
    });

    offered('give an object, or a range of it, under the name and type that were asked for', async (presign) => {
      const key = freshKey();
      const bytes = someBytes(5000);
      await put(bucket().store, key, bytes);
      const contentDisposition = `attachment; filename="a.txt"; filename*=UTF-8''%E2%82%AC.txt`;
      const signed = await presign.signGet({ key, expiresIn, contentDisposition, contentType: 'text/plain' });
      const answer = await send(signed);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-disposition')).toBe(contentDisposition);
      expect(answer.headers.get('content-type')).toBe('text/plain');
      expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
      const range = await send(signed, undefined, { headers: { range: 'bytes=10-19' } });
      expect(Buffer.from(await range.arrayBuffer()).equals(bytes.subarray(10, 20))).toBe(true);
      const other = new URL(signed.url);
      other.searchParams.set('response-content-type', 'text/html');
      expect((await send(signed, undefined, { url: other.href })).status).toBe(403);
    });
  });
}
