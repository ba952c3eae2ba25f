import type { Bench } from './bench.ts';

export type Unit = 'MB/s' | 'requests/s' | 'messages/s' | 'files/s' | 'MB' | 's' | '';

/** What a claim promises of one line: a ratio to a peer, or a figure of our own that must not be exceeded. */
export type Reach = { readonly atLeastRatio: number } | { readonly atMost: number };

export type Verdict = 'reached' | 'missed' | 'failed' | 'no peer' | 'for information';

/** One row of the table. Figures are medians over the rounds, the ratio is the median of the ratios of each round. */
export type Line = {
  readonly work: string;
  readonly unit: Unit;
  readonly ours: number | null;
  /** Null where we are measured against a fixed figure. */
  readonly peer: string | null;
  readonly theirs: number | null;
  readonly ratio: number | null;
  readonly reach: Reach | null;
  readonly verdict: Verdict;
  readonly note?: string;
};

/** What one contestant did in one round. */
export type Turn = {
  readonly round: number;
  /** In the unit of the claim, higher is better. */
  readonly rate: number;
  /** Processor time of the server and its children during the turn, seconds. */
  readonly cpuSeconds: number;
};

export type ClaimResult = {
  readonly lines: readonly Line[];
  /** Every turn of every contestant, so that the medians can be checked. */
  readonly turns: Readonly<Record<string, readonly Turn[]>>;
  /** What else was seen: client, concurrency, memory peaks, peers that could not be had. */
  readonly details: Readonly<Record<string, unknown>>;
};

/** What each file in claims/ exports. */
export type Claim = {
  readonly name: string;
  readonly what: string;
  readonly reach: Readonly<Record<string, Reach>>;
  readonly run: (bench: Bench) => Promise<ClaimResult>;
};
