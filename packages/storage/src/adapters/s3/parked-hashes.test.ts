import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { ParkedHashes } from './parked-hashes.ts';

const parkedAt = (length: number) => ({ length, hash: createHash('sha256'), head: null });

it('gives a hash back once, and only for the length that it stands for', () => {
  const parked = new ParkedHashes();
  const one = parkedAt(10);
  parked.park('a', one);
  expect(parked.take('b', 10)).toBeNull();
  expect(parked.take('a', 10)).toBe(one);
  expect(parked.take('a', 10)).toBeNull();
  parked.park('a', one);
  expect(parked.take('a', 9)).toBeNull();
});

it('keeps the newest', () => {
  const parked = new ParkedHashes();
  for (let i = 0; i < 300; i++) parked.park(String(i), parkedAt(i));
  expect(parked.take('43', 43)).toBeNull();
  expect(parked.take('44', 44)).not.toBeNull();
  expect(parked.take('299', 299)).not.toBeNull();
});
