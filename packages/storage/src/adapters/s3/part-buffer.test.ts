import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BufferPool } from './buffer-pool.ts';
import { PartBuffer } from './part-buffer.ts';

const MIB = 1024 * 1024;
const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('base64');

describe('a part', () => {
  it('takes what fits, and knows its MD5 at any length', () => {
    const bytes = randomBytes(3 * MIB);
    const part = new PartBuffer(0, 2 * MIB + 1, new BufferPool(1));
    for (let at = 0; !part.full; ) at += part.append(bytes.subarray(at, at + 70_001));
    expect(part.append(bytes)).toBe(0);
    const whole = bytes.subarray(0, 2 * MIB + 1);
    expect(part.content().bytes.equals(whole)).toBe(true);
    expect(part.content().md5).toBe(md5(whole));
    part.truncate(10);
    expect(part.content().md5).toBe(md5(bytes.subarray(0, 10)));
    part.append(bytes.subarray(10, 20));
    expect(part.content().md5).toBe(md5(bytes.subarray(0, 20)));
  });

  it('gives its memory back when nobody reads it any more', async () => {
    const pool = new BufferPool(1);
    const part = new PartBuffer(0, MIB, pool);
    part.append(Buffer.alloc(MIB));
    const memory = part.slice(0).buffer;
    let done = (): void => {};
    const reading = part.use(() => new Promise<void>((resolve) => (done = resolve)));
    part.release();
    expect(pool.take(MIB).buffer).not.toBe(memory);
    done();
    await reading;
    expect(pool.take(MIB).buffer).toBe(memory);
  });
});
