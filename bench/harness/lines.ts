import type { Line, Reach, Unit, Verdict } from './claim.ts';
import type { RoundsResult } from './rounds.ts';
import { median, pairedRatio } from './statistics.ts';

export type Comparison = {
  readonly work: string;
  readonly unit: Unit;
  /** Names of the two contestants. */
  readonly ours: string;
  readonly peer: string;
  /** Absent: the peer stands there for information only. */
  readonly reach?: Reach;
  readonly note?: string;
};

/** The row that sets one contestant of ours beside one peer of the same rounds. */
export function compare(result: RoundsResult, comparison: Comparison): Line {
  const ours = ratesOf(result, comparison.ours);
  const theirs = ratesOf(result, comparison.peer);
  const ratio = ours.length > 0 && theirs.length > 0 ? pairedRatio(ours, theirs) : null;
  const failure = result.failures[comparison.ours] ?? result.failures[comparison.peer];
  const note = failure?.split('\n')[0]?.slice(0, 120) ?? comparison.note;
  return {
    work: comparison.work,
    unit: comparison.unit,
    ours: ours.length > 0 ? median(ours) : null,
    peer: comparison.peer,
    theirs: theirs.length > 0 ? median(theirs) : null,
    ratio,
    reach: comparison.reach ?? null,
    verdict: verdictOf(ours.length > 0, theirs.length > 0, ratio, comparison.reach ?? null),
    ...(note === undefined ? {} : { note }),
  };
}

/** The row for a figure of our own that must stay at or under a limit. */
export function limit(work: string, unit: Unit, ours: number | null, atMost: number, note?: string): Line {
  const verdict = ours === null ? 'failed' : ours <= atMost ? 'reached' : 'missed';
  const reach = { atMost };
  return {
    work,
    unit,
    ours,
    peer: null,
    theirs: null,
    ratio: null,
    reach,
    verdict,
    ...(note === undefined ? {} : { note }),
  };
}

function verdictOf(oursRan: boolean, peerRan: boolean, ratio: number | null, reach: Reach | null): Verdict {
  if (!oursRan) return 'failed';
  if (!peerRan || ratio === null) return 'no peer';
  if (reach === null || !('atLeastRatio' in reach)) return 'for information';
  return ratio >= reach.atLeastRatio ? 'reached' : 'missed';
}

/** Rates of the rounds in which that contestant finished. A failure later on makes all of it void. */
function ratesOf(result: RoundsResult, name: string): number[] {
  if (result.failures[name]) return [];
  return (result.turns[name] ?? []).map((turn) => turn.rate);
}
