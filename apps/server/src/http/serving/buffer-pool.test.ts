import { describe, expect, it } from 'vitest';
import { BufferPool, LARGE_BUFFER, SMALL_BUFFER } from './buffer-pool.ts';

describe('BufferPool', () => {
  it('gives small and large buffers, and gives them again', () => {
    const pool = new BufferPool();
    const small = pool.take(1);
    const large = pool.take(SMALL_BUFFER + 1);
    expect([small.length, large.length]).toEqual([SMALL_BUFFER, LARGE_BUFFER]);
    expect(pool.take(1)).not.toBe(small);
    pool.give(small);
    pool.give(large);
    expect(pool.take(SMALL_BUFFER)).toBe(small);
    expect(pool.take(LARGE_BUFFER * 2)).toBe(large);
  });

  it('has so many large ones out and no more', () => {
    const pool = new BufferPool();
    const out = Array.from({ length: 100 }, () => pool.take(LARGE_BUFFER));
    expect(out.filter((buffer) => buffer.length === LARGE_BUFFER)).toHaveLength(16);
    for (const buffer of out) pool.give(buffer);
    expect(pool.take(LARGE_BUFFER)).toHaveLength(LARGE_BUFFER);
  });
});
