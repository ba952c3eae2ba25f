import { describe, expect, it } from 'vitest';
import type { PartsCapability, StagedObject } from '../port.ts';
import {
  expectError,
  freshKey,
  freshUploadId,
  type OpenBucket,
  readAll,
  sha256,
  someBytes,
  useBucket,
} from './harness.ts';

/** Parts of a direct upload that come through us, into a bucket that signs no addresses. */
export function describeDirectParts(open: OpenBucket): void {
  describe('parts through us', () => {
    const bucket = useBucket(open);
    const offered = (name: string, test: (parts: PartsCapability) => Promise<void>) =>
      it(name, async (context) => {
        const { parts } = bucket().store;
        if (!parts) return context.skip('this adapter takes no parts');
        await test(parts);
      });
    const begin = async (size: number): Promise<{ key: string; staged: StagedObject }> => {
      const key = freshKey();
      const staged = await bucket().store.stage({ uploadId: freshUploadId(), key, size, contentType: 'text/plain' });
      await staged.sync();
      await staged.close();
      return { key, staged };
    };

    offered('come in any order', async (parts) => {
      const size = bucket().boundary;
      const bytes = someBytes(3 * size + 7);
      const { key, staged } = await begin(bytes.length);
      const write = async (index: number, content = bytes.subarray(index * size, (index + 1) * size)) => {
        const part = await parts.openPart(staged.ref, { offset: index * size, size: content.length });
        for (let at = 0; at < content.length; at += 50_000)
          await part.append(Buffer.from(content.subarray(at, at + 50_000)));
        await part.finish();
        await part.close();
      };
      await write(1, someBytes(size));
      await Promise.all([write(3), write(1), write(0)]);
      await write(2);
      const whole = await bucket().store.resume(staged.ref, { durable: bytes.length, takeover: false });
      expect(await whole.sha256()).toBe(sha256(bytes));
      await whole.commit(key);
      expect((await readAll(bucket().store, key)).equals(bytes)).toBe(true);
    });

    offered('have exactly the length that they were opened with', async (parts) => {
      const { key, staged } = await begin(2000);
      const short = await parts.openPart(staged.ref, { offset: 0, size: 1000 });
      await short.append(Buffer.alloc(999));
      await expectError(short.finish(), 'length_mismatch');
      await short.close();
      const long = await parts.openPart(staged.ref, { offset: 0, size: 1000 });
      await long.append(Buffer.alloc(1000));
      await expectError(long.append(Buffer.alloc(1)), 'length_mismatch');
      await long.close();
      await long.close();
      await bucket().store.discard({ uploadId: 'upl_none', key, ref: staged.ref });
    });

    offered('are hashed also where the beginning was replaced', async (parts) => {
      const bytes = someBytes(3000);
      const { key, staged } = await begin(bytes.length);
      for (const content of [someBytes(3000), bytes]) {
        const part = await parts.openPart(staged.ref, { offset: 0, size: 3000 });
        await part.append(Buffer.from(content));
        await part.finish();
        await part.close();
      }
      const whole = await bucket().store.resume(staged.ref, { durable: bytes.length, takeover: false });
      expect(await whole.sha256()).toBe(sha256(bytes));
      await whole.commit(key);
      expect((await readAll(bucket().store, key)).equals(bytes)).toBe(true);
    });
  });
}
