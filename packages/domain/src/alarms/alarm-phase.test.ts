import { ALARM_KINDS, type AlarmKind } from '@carcosa/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBad, isClear, nextPhase, type Phase } from './alarm-phase.ts';

const MINUTE = 60_000;
const at = (minute: number): Date => new Date(minute * MINUTE);

/** What is news of a series of values, one a minute; null for what is not measured. */
function news(rule: { kind: AlarmKind; threshold: number; forMinutes: number }, values: readonly (number | null)[]) {
  let phase: Phase = null;
  return values.flatMap((value, minute) => {
    const next = nextPhase(rule, phase, value, at(minute));
    phase = next.phase;
    return next.news ? [`${next.news} at ${minute}`] : [];
  });
}

describe('an alarm', () => {
  const rule = { kind: 'error-rate' as const, threshold: 10, forMinutes: 2 };

  it('fires once when it was bad for long enough, and resolves once when it was well for as long', () => {
    expect(news(rule, [0, 10, 50, 50, 50, 0, 0, 0, 0])).toEqual(['fired at 3', 'resolved at 7']);
    expect(news({ ...rule, forMinutes: 0 }, [0, 10, 50, 0, 0, 10])).toEqual([
      'fired at 1',
      'resolved at 3',
      'fired at 5',
    ]);
  });

  it('says nothing of what lasts too short, either way', () => {
    expect(news(rule, [50, 50, 0, 50, 50, 0])).toEqual([]);
    expect(news(rule, [50, 50, 50, 0, 0, 50, 0, 0, 50])).toEqual(['fired at 2']);
  });

  it('does not tremble with a value about its threshold', () => {
    expect(news({ ...rule, forMinutes: 0 }, [10, 9.5, 10, 9.1, 10, 9])).toEqual(['fired at 0']);
    expect(news({ kind: 'disk', threshold: 10, forMinutes: 0 }, [10, 10.5, 9, 11, 12])).toEqual([
      'fired at 0',
      'resolved at 4',
    ]);
  });

  it('resolves for what is not measured any more', () => {
    expect(news({ ...rule, forMinutes: 0 }, [50, null, null])).toEqual(['fired at 0', 'resolved at 1']);
  });

  it.each(Object.keys(ALARM_KINDS) as AlarmKind[])('of the kind %s tells of badness and wellness in turn', (kind) => {
    const { min, max } = ALARM_KINDS[kind].threshold;
    const rules = fc.record({
      kind: fc.constant(kind),
      threshold: fc.double({ min, max, noNaN: true }),
      forMinutes: fc.nat(5),
    });
    const values = fc.array(fc.option(fc.double({ min: 0, max: max * 2, noNaN: true })), { maxLength: 60 });
    fc.assert(
      fc.property(rules, values, (rule, series) => {
        const told = news(rule, series).map((each) => each.split(' ')[0]);
        expect(told).toEqual(told.map((_, index) => (index % 2 === 0 ? 'fired' : 'resolved')));
        for (const value of series) expect(value !== null && isBad(rule, value) && isClear(rule, value)).toBe(false);
      }),
    );
  });
});
