import type { Turn } from './claim.ts';
import type { ServerProcess } from './server-process.ts';

export type Contestant = {
  readonly name: string;
  readonly server: ServerProcess;
  /** Does the work once and returns its rate, higher is better. Throws when the server answered wrongly. */
  readonly measure: () => Promise<number>;
  /** Removes what the turn left behind; not timed. */
  readonly after?: () => Promise<void>;
};

export type RoundsOptions = {
  readonly rounds: number;
  /** Runs before each turn; not timed. */
  readonly before?: () => Promise<void>;
};

export type RoundsResult = {
  readonly turns: Record<string, Turn[]>;
  /** Why a contestant dropped out. */
  readonly failures: Record<string, string>;
};

/**
 * Has the contestants take turns, so that a slow minute of the machine slows them all, and rotates who begins, so that
 * nobody always comes after the same one. A round before the first is thrown away: it warms code and caches.
 */
export async function takeTurns(contestants: readonly Contestant[], options: RoundsOptions): Promise<RoundsResult> {
  const turns: Record<string, Turn[]> = Object.fromEntries(contestants.map(({ name }) => [name, []]));
  const failures: Record<string, string> = {};
  for (let round = 0; round <= options.rounds; round++) {
    for (const contestant of rotate(contestants, round)) {
      if (failures[contestant.name]) continue;
      try {
        const turn = await oneTurn(contestant, round, options);
        if (round > 0) turns[contestant.name]?.push(turn);
        report(contestant.name, turn);
      } catch (error) {
        failures[contestant.name] = error instanceof Error ? error.message : String(error);
        console.log(`  ${contestant.name} failed: ${failures[contestant.name]}`);
      }
    }
  }
  return { turns, failures };
}

export function rotate<Item>(items: readonly Item[], by: number): Item[] {
  const start = by % Math.max(items.length, 1);
  return [...items.slice(start), ...items.slice(0, start)];
}

async function oneTurn(contestant: Contestant, round: number, options: RoundsOptions): Promise<Turn> {
  await options.before?.();
  const before = contestant.server.cpuSeconds();
  try {
    const rate = await contestant.measure();
    return { round, rate, cpuSeconds: contestant.server.cpuSeconds() - before };
  } finally {
    await contestant.after?.();
  }
}

function report(name: string, { round, rate, cpuSeconds }: Turn): void {
  const label = round === 0 ? 'warm-up' : `round ${round}`;
  console.log(`  ${label.padEnd(8)} ${name.padEnd(44)} ${rate.toFixed(1).padStart(9)}  cpu ${cpuSeconds.toFixed(2)} s`);
}
