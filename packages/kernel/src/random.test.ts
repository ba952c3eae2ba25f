import { describe, expect, it } from 'vitest';
import { randomToken, systemRandom } from './random.ts';

describe('the system random', () => {
  it.each([0, 1, 16, 4096, 65_536])('gives %i bytes', (length) => {
    expect(systemRandom.bytes(length)).toHaveLength(length);
  });

  it('gives nothing twice', () => {
    const seen = new Set(Array.from({ length: 20_000 }, () => Buffer.from(systemRandom.bytes(16)).toString('hex')));
    expect(seen.size).toBe(20_000);
  });

  it('uses every value of a byte about equally often', () => {
    const counts = new Array<number>(256).fill(0);
    for (let i = 0; i < 1000; i++) for (const byte of systemRandom.bytes(256)) counts[byte] = (counts[byte] ?? 0) + 1;
    // 1,000 each are expected, with a standard deviation of 32.
    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1200);
  });

  it('is not changed by who changes what it gave', () => {
    const bytes = systemRandom.bytes(16).fill(7);
    expect(systemRandom.bytes(16)).not.toEqual(bytes);
  });
});

it('a token has letters and digits alone, as many as were asked for', () => {
  for (const length of [0, 1, 24, 43, 1000])
    expect(randomToken(systemRandom, length)).toMatch(new RegExp(`^[0-9A-Za-z]{${length}}$`));
});
