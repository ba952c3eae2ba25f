import type { Bench } from '../harness/bench.ts';
import { Carcosa } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { limit } from '../harness/lines.ts';
import { median } from '../harness/statistics.ts';

export const name = 'start';
export const what =
  'From starting the built server to 200 from GET /ready, with its embedded database: on the data of an earlier start, and ' +
  'on an empty data directory, where the database is made and migrated first.';
export const reach = { warm: { atMost: 2 }, first: { atMost: 6 } } satisfies Record<string, Reach>;

export async function run(bench: Bench): Promise<ClaimResult> {
  const first: number[] = [];
  const warm: number[] = [];
  for (let round = 0; round <= bench.rounds; round++) {
    const seconds = { first: await startAndStop(bench, false), warm: await startAndStop(bench, true) };
    console.log(`  round ${round}: first ${seconds.first.toFixed(2)} s, warm ${seconds.warm.toFixed(2)} s`);
    if (round === 0) continue;
    first.push(seconds.first);
    warm.push(seconds.warm);
  }
  const turn = (rate: number, round: number) => ({ round: round + 1, rate, cpuSeconds: 0 });
  return {
    lines: [
      limit('start, built and warm', 's', median(warm), reach.warm.atMost),
      limit('first start on an empty data directory', 's', median(first), reach.first.atMost),
    ],
    turns: { first: first.map(turn), warm: warm.map(turn) },
    details: { unit: 'seconds, lower is better' },
  };
}

async function startAndStop(bench: Bench, keepData: boolean): Promise<number> {
  const begin = performance.now();
  const carcosa = await Carcosa.start(bench, { keepData });
  const seconds = (performance.now() - begin) / 1000;
  const code = await carcosa.server.stop();
  if (code !== 0) throw new Error(`it ended with ${code} when it was asked to stop`);
  return seconds;
}
