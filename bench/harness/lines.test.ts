import { describe, expect, it } from 'vitest';
import { compare, limit } from './lines.ts';
import type { RoundsResult } from './rounds.ts';

const turn = (rate: number, round: number) => ({ round, rate, cpuSeconds: 0 });

function result(failures: Record<string, string> = {}): RoundsResult {
  return { turns: { ours: [90, 100, 110].map(turn), peer: [100, 100, 100].map(turn) }, failures };
}

const comparison = { work: 'w', unit: 'MB/s', ours: 'ours', peer: 'peer', reach: { atLeastRatio: 1 } } as const;

describe('compare', () => {
  it('reaches or misses by the ratio', () => {
    expect(compare(result(), comparison)).toMatchObject({ ours: 100, theirs: 100, ratio: 1, verdict: 'reached' });
    expect(compare(result(), { ...comparison, reach: { atLeastRatio: 1.1 } }).verdict).toBe('missed');
    const { reach: _, ...informative } = comparison;
    expect(compare(result(), informative).verdict).toBe('for information');
  });

  it('says so when we failed and when the peer could not be had', () => {
    expect(compare(result({ ours: 'answered 500\nmore' }), comparison)).toMatchObject({
      ours: null,
      verdict: 'failed',
      note: 'answered 500',
    });
    expect(compare(result({ peer: 'not here' }), comparison)).toMatchObject({ verdict: 'no peer', ratio: null });
    expect(compare({ turns: { ours: [turn(1, 1)] }, failures: {} }, comparison).verdict).toBe('no peer');
  });
});

describe('limit', () => {
  it('includes the limit itself', () => {
    expect(limit('memory', 'MB', 200, 200).verdict).toBe('reached');
    expect(limit('memory', 'MB', 200.1, 200).verdict).toBe('missed');
    expect(limit('memory', 'MB', null, 200).verdict).toBe('failed');
  });
});
