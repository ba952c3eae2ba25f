import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluatePreconditions, formatHttpDate, parseHttpDate, rangeStillApplies } from './preconditions.ts';

const lastModified = Date.UTC(2026, 0, 31, 12, 0, 0, 500);
const own = { etag: '"abc"', lastModified };
const same = 'Sat, 31 Jan 2026 12:00:00 GMT';
const earlier = 'Sat, 31 Jan 2026 11:59:59 GMT';

describe('evaluatePreconditions', () => {
  it.each([
    [{}, 'proceed'],
    [{ 'if-none-match': '"abc"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"abc"' }, 'not-modified'],
    [{ 'if-none-match': '"x", W/"y" ,"abc"' }, 'not-modified'],
    [{ 'if-none-match': '"a,b", "abc"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"x"' }, 'proceed'],
    [{ 'if-none-match': 'abc' }, 'proceed'],
    [{ 'if-none-match': '' }, 'proceed'],
    [{ 'if-modified-since': same }, 'not-modified'],
    [{ 'if-modified-since': earlier }, 'proceed'],
    [{ 'if-modified-since': 'nonsense' }, 'proceed'],
    // The tag outweighs the date.
    [{ 'if-none-match': '"x"', 'if-modified-since': same }, 'proceed'],
    [{ 'if-match': '"abc"' }, 'proceed'],
    [{ 'if-match': '*' }, 'proceed'],
    [{ 'if-match': 'W/"abc"' }, 'failed'],
    [{ 'if-match': '"x"' }, 'failed'],
    [{ 'if-match': '"abc"', 'if-unmodified-since': earlier }, 'proceed'],
    [{ 'if-match': '"abc"', 'if-none-match': '"abc"' }, 'not-modified'],
    [{ 'if-unmodified-since': same }, 'proceed'],
    [{ 'if-unmodified-since': earlier }, 'failed'],
    [{ 'if-unmodified-since': 'nonsense' }, 'proceed'],
  ])('%o: %s', (headers, expected) => {
    expect(evaluatePreconditions(headers, own)).toBe(expected);
  });
});

describe('rangeStillApplies', () => {
  const later = lastModified + 10_000;
  it.each([
    [undefined, true],
    ['"abc"', true],
    ['"x"', false],
    ['W/"abc"', false],
    [same, true],
    [earlier, false],
    ['nonsense', false],
  ])('%s: %s', (header, expected) => {
    expect(rangeStillApplies(header, own, later)).toBe(expected);
  });

  it('does not trust a date within the second of the change', () => {
    expect(rangeStillApplies(same, own, lastModified + 400)).toBe(false);
  });
});

describe('dates of HTTP', () => {
  it('are read in all three forms', () => {
    const instant = Date.UTC(1994, 10, 6, 8, 49, 37);
    for (const text of [
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ]) {
      expect(parseHttpDate(text)).toBe(instant);
    }
    for (const text of [undefined, '', '1994-11-06', 'Sun, 06 Nov 1994 08:49:37 CET', '0'])
      expect(parseHttpDate(text)).toBeNull();
  });

  it('come back as they were written, in whole seconds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (seconds) => {
        expect(parseHttpDate(formatHttpDate(seconds * 1000 + 7))).toBe(seconds * 1000);
      }),
    );
  });
});
