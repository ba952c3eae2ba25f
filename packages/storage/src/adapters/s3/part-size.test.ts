import { expect, it } from 'vitest';
import { assertPartNumber, choosePartSize, partsInFlight } from './part-size.ts';

const MIB = 1024 * 1024;
const TIB = MIB * MIB;

it.each([
  [0, 8 * MIB],
  [8 * MIB + 1, 8 * MIB],
  [80_000 * MIB, 8 * MIB],
  [80_000 * MIB + 1, 9 * MIB],
  [5 * TIB, 525 * MIB],
  [null, 16 * MIB],
])('cuts %s bytes into parts of %i', (size, partSize) => {
  expect(choosePartSize(size, 8 * MIB)).toBe(partSize);
  expect(Math.ceil((size ?? 0) / partSize)).toBeLessThanOrEqual(10_000);
});

it('sends large parts one at a time', () => {
  expect([8 * MIB, 16 * MIB, 17 * MIB].map(partsInFlight)).toEqual([2, 2, 1]);
});

it('counts to 10,000', () => {
  assertPartNumber(10_000);
  expect(() => assertPartNumber(10_001)).toThrow(expect.objectContaining({ code: 'payload_too_large' }));
});
