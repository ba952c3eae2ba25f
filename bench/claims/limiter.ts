import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Bench } from '../harness/bench.ts';
import type { ClaimResult, Line, Reach, Turn } from '../harness/claim.ts';
import { limit } from '../harness/lines.ts';
import { median } from '../harness/statistics.ts';

export const name = 'limiter';
export const what =
  'Decisions of the rate limiter in memory, in one thread: for the same 1,000 callers, for 1,000,000 distinct ones in turn, and for ones ' +
  'never seen; microseconds of processor time a decision, and bytes of memory a caller. Over Redis a decision is one round trip, which a test counts.';
/** A microsecond a decision is 1,000,000 a second. */
export const reach = {
  same: { atMost: 1 },
  distinct: { atMost: 1 },
  memory: { atMost: 160 },
} satisfies Record<string, Reach>;

const CLIENT = join(import.meta.dirname, '..', 'clients', 'limiter.ts');
const WORKS = ['same', 'distinct', 'new', 'map'] as const;

type Measured = { rate: number; bytes: number; size: number };

export async function run(bench: Bench): Promise<ClaimResult> {
  const turns: Record<string, Turn[]> = { same: [], distinct: [], new: [], map: [] };
  const bytes: number[] = [];
  for (let round = 0; round <= bench.rounds; round++) {
    for (const work of WORKS) {
      const { rate, bytes: each } = await measure(work);
      console.log(
        `  round ${round} ${work.padEnd(9)} ${(rate / 1e6).toFixed(2)} million/s, ${each.toFixed(0)} B a caller`,
      );
      if (round === 0) continue;
      turns[work]?.push({ round, rate, cpuSeconds: 0 });
      if (work === 'distinct') bytes.push(each);
    }
  }
  const micros = (work: (typeof WORKS)[number]): number => 1e6 / median((turns[work] ?? []).map(({ rate }) => rate));
  const least = `a Map of fixed windows takes ${micros('map').toFixed(2)}`;
  const lines: Line[] = [
    limit('microseconds a decision, 1,000 callers', '', micros('same'), reach.same.atMost, least),
    limit('microseconds a decision, 1,000,000 callers in turn', '', micros('distinct'), reach.distinct.atMost),
    limit('bytes a caller, 1,000,000 callers', '', median(bytes), reach.memory.atMost),
  ];
  return { lines, turns, details: { newCallersMicroseconds: micros('new') } };
}

async function measure(work: string): Promise<Measured> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', CLIENT, work]);
  return JSON.parse(stdout) as Measured;
}
