import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRecords, EMPTY, encodeRecord, type JournalRecord, recordSize } from './journal-record.ts';

const records = fc.array(
  fc.record({ key: fc.string({ minLength: 1, unit: 'grapheme' }), content: fc.uint8Array({ maxLength: 300 }) }),
  { maxLength: 8 },
);
const segmentOf = (generation: bigint, all: readonly JournalRecord[]): Buffer =>
  Buffer.concat(all.flatMap((record) => encodeRecord(generation, record)));
const decoded = (segment: Buffer) => [...decodeRecords(segment)].map(plain);
const plain = ({ key, content }: JournalRecord) => ({ key, content: [...content] });

describe('records of the journal', () => {
  it('are read as they were written, up to where the segment is empty', () => {
    fc.assert(
      fc.property(records, fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }), fc.nat(200), (all, generation, rest) => {
        const segment = segmentOf(generation, all);
        expect(segment.length).toBe(all.reduce((sum, record) => sum + recordSize(record), 0));
        expect(decoded(Buffer.concat([segment, Buffer.alloc(rest)]))).toEqual(all.map(plain));
      }),
    );
  });

  it('end where a power cut tore one, wherever that is', () => {
    fc.assert(
      fc.property(records, fc.double({ min: 0, max: 1, noNaN: true }), (all, where) => {
        const segment = segmentOf(1n, all);
        const whole = Math.floor(segment.length * where);
        const torn = Buffer.concat([segment.subarray(0, whole), Buffer.alloc(segment.length - whole)]);
        let end = 0;
        const safe = all.filter((record) => {
          end += recordSize(record);
          return end <= whole;
        });
        // What was torn within zeros may be whole all the same.
        expect(decoded(torn).slice(0, safe.length)).toEqual(safe.map(plain));
        expect(decoded(torn).length).toBeLessThanOrEqual(all.length);
      }),
    );
  });

  it('are not read when a bit of them is another', () => {
    const record = { key: 'a/b.bin', content: Buffer.from('content') };
    for (let bit = 0; bit < recordSize(record) * 8; bit++) {
      const segment = segmentOf(7n, [record]);
      segment[bit >> 3] = (segment[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decoded(segment)).toEqual([]);
    }
  });

  it('of an earlier use of the segment are none of the present one', () => {
    const earlier = ['a', 'b', 'c'].map((key) => ({ key, content: Buffer.from('earlier') }));
    const present = [{ key: 'd', content: Buffer.from('present') }];
    const segment = segmentOf(1n, earlier);
    segmentOf(2n, present).copy(segment);
    expect(decoded(segment).map(({ key }) => key)).toEqual(['d']);
    segment.set(EMPTY);
    expect(decoded(segment)).toEqual([]);
  });
});
