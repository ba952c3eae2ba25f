import fc from 'fast-check';
import { expect, it } from 'vitest';
import { afterSeeing, decodeSeen, encodeSeen, type Seen, seenBetween, seenSince } from './seen.ts';

const START: Seen = { upTo: 0, gaps: [] };
const after = (positions: Iterable<number>, from = START): Seen => [...positions].reduce(afterSeeing, from);
const has = ({ upTo, gaps }: Seen, position: number): boolean =>
  position <= upTo && !gaps.some(({ from, to }) => from <= position && position <= to);
const members = (seen: Seen): number[] => Array.from({ length: 60 }, (_, at) => at + 1).filter((at) => has(seen, at));
const positions = fc.uniqueArray(fc.integer({ min: 1, max: 50 }), { maxLength: 40 });

it('knows what was seen, in whatever order it came', () => {
  fc.assert(
    fc.property(positions, (order) => {
      expect(members(after(order))).toEqual([...order].sort((a, b) => a - b));
    }),
  );
});

it('says what came since', () => {
  fc.assert(
    fc.property(positions, fc.nat(40), (order, cut) => {
      const earlier = after(order.slice(0, cut));
      const later = after(order.slice(cut), earlier);
      const fresh = seenSince(earlier, later).flatMap(({ from, to }) =>
        Array.from({ length: to - from + 1 }, (_, at) => from + at),
      );
      expect(fresh).toEqual(order.slice(cut).sort((a, b) => a - b));
    }),
  );
});

it('says what somebody has seen who was interrupted in the middle', () => {
  fc.assert(
    fc.property(positions, fc.nat(40), fc.nat(40), (order, cut, at) => {
      const before = order.slice(0, cut);
      const added = order.slice(cut).sort((a, b) => a - b);
      const told = added.slice(0, at + 1);
      const last = told.at(-1);
      fc.pre(last !== undefined);
      const earlier = after(before);
      expect(seenBetween(earlier, after(order.slice(cut), earlier), last)).toEqual(after(told, earlier));
    }),
  );
});

it('is the same after a client has carried it', () => {
  fc.assert(
    fc.property(positions, (order) => {
      expect(decodeSeen(encodeSeen(after(order)))).toEqual(after(order));
    }),
  );
});

it('forgets nothing that was not seen when there are very many gaps', () => {
  const seen = after(Array.from({ length: 500 }, (_, at) => at * 2 + 2));
  const carried = decodeSeen(encodeSeen(seen));
  for (let position = 1; position <= 1000; position += 1)
    if (has(carried, position)) expect(has(seen, position)).toBe(true);
  expect(has(carried, 998)).toBe(true);
});

it('refuses whatever it has not written', () => {
  for (const text of ['', 'c', 'x1', 'c1.', 'cZ', 'c5.1-3', 'c9.2-0.5-0', `c1${'.1-0'.repeat(70)}`, 'c5.9-0'])
    expect(() => decodeSeen(text), text).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        decodeSeen(text);
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_request' });
      }
    }),
  );
});
