import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentRange, multipartRanges, requestedRanges } from './ranges.ts';

describe('requestedRanges', () => {
  it.each([
    ['bytes=0-0', [[0, 0]]],
    ['bytes=0-', [[0, 99]]],
    ['bytes=50-', [[50, 99]]],
    ['bytes=5-9', [[5, 9]]],
    ['bytes=90-1000', [[90, 99]]],
    [`bytes=7-${'9'.repeat(30)}`, [[7, 99]]],
    ['bytes=-1', [[99, 99]]],
    ['bytes=-1000', [[0, 99]]],
    ['BYTES=1-2', [[1, 2]]],
    [
      'bytes= 1-2 , 4-5 ',
      [
        [1, 2],
        [4, 5],
      ],
    ],
    ['bytes=,1-2,,', [[1, 2]]],
    [
      'bytes=90-95,0-4,-2',
      [
        [90, 95],
        [0, 4],
        [98, 99],
      ],
    ],
    ['bytes=1-2,200-300', [[1, 2]]],
  ])('%s', (header, expected) => {
    const ranges = requestedRanges(header, 100);
    expect(Array.isArray(ranges) && ranges.map(({ start, end }) => [start, end])).toEqual(expected);
  });

  it.each(['bytes=100-', 'bytes=-0', 'bytes=100-200,300-', `bytes=${'9'.repeat(30)}-`])('%s is outside', (header) => {
    expect(requestedRanges(header, 100)).toBe('unsatisfiable');
  });

  it.each([
    undefined,
    '',
    'bytes',
    'bytes=',
    'bytes=,',
    'bytes=-',
    'bytes=5-4',
    'bytes=a-b',
    'bytes=--1',
    'bytes=1-2-3',
    'bytes=0x0-0x5',
    'bytes=1-2,x',
    'bytes =1-2',
    'bytes=1.5-2',
    'bytes=+1-2',
    'items=0-5',
    'bytes=0-1;',
    `bytes=${'0-0,'.repeat(400)}`,
  ])('%s is ignored', (header) => {
    expect(requestedRanges(header, 100)).toBe('whole');
  });

  it('ignores ranges that cost more than the whole', () => {
    expect(requestedRanges('bytes=0-,0-', 100)).toBe('whole');
    expect(requestedRanges(`bytes=${Array.from({ length: 17 }, (_, i) => `${i}-${i}`).join()}`, 100)).toBe('whole');
    expect(requestedRanges(`bytes=${Array.from({ length: 16 }, (_, i) => `${i}-${i}`).join()}`, 100)).toHaveLength(16);
  });

  it('has nothing to give of an empty file', () => {
    for (const header of ['bytes=0-', 'bytes=-5', 'bytes=0-0'])
      expect(requestedRanges(header, 0)).toBe('unsatisfiable');
  });

  it('selects what a slice selects', () => {
    const size = fc.integer({ min: 1, max: 300 });
    const spec = fc.oneof(
      fc.tuple(fc.nat(400), fc.nat(400)).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
      fc.nat(400).map((first) => `${first}-`),
      fc.nat(400).map((suffix) => `-${suffix}`),
    );
    fc.assert(
      fc.property(size, fc.array(spec, { minLength: 1, maxLength: 5 }), (length, specs) => {
        const content = Array.from({ length }, (_, i) => i);
        const slices = specs.map((text) => {
          const [first, last] = text.split('-') as [string, string];
          if (first === '') return Number(last) === 0 ? [] : content.slice(-Number(last));
          return last === '' ? content.slice(Number(first)) : content.slice(Number(first), Number(last) + 1);
        });
        const wanted = slices.filter((slice) => slice.length > 0);
        const got = requestedRanges(`bytes=${specs.join(', ')}`, length);
        if (wanted.length === 0) expect(got).toBe('unsatisfiable');
        else if (wanted.length > 1 && wanted.flat().length > length) expect(got).toBe('whole');
        else expect(Array.isArray(got) && got.map(({ start, end }) => content.slice(start, end + 1))).toEqual(wanted);
      }),
    );
  });
});

describe('multipartRanges', () => {
  it('is as long as it says, and each part says what it is', () => {
    const ranges = [
      { start: 0, end: 4 },
      { start: 90, end: 99 },
    ];
    const body = multipartRanges(ranges, { size: 100, contentType: 'text/plain' }, 'b0undary');
    const content = 'x'.repeat(100);
    const text =
      body.pieces.map(({ head, range }) => head + content.slice(range.start, range.end + 1)).join('') + body.tail;
    expect(body.length).toBe(text.length);
    expect(body.contentType).toBe('multipart/byteranges; boundary=b0undary');
    expect(
      text.startsWith(
        '--b0undary\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-4/100\r\n\r\nxxxxx\r\n--b0undary\r\n',
      ),
    ).toBe(true);
    expect(text.endsWith('\r\n--b0undary--\r\n')).toBe(true);
    expect(contentRange({ start: 1, end: 2 }, 3)).toBe('bytes 1-2/3');
  });
});
