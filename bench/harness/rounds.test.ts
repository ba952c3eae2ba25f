import { describe, expect, it } from 'vitest';
import { type Contestant, rotate, takeTurns } from './rounds.ts';
import type { ServerProcess } from './server-process.ts';

/** Only its processor time is asked for here. */
const idle = { cpuSeconds: () => 0 } as ServerProcess;

function contestant(name: string, log: string[], fails = false): Contestant {
  return {
    name,
    server: idle,
    measure: async () => {
      log.push(name);
      if (fails) throw new Error('answered 500');
      return log.length;
    },
  };
}

describe('takeTurns', () => {
  it('rotates who begins and throws the first round away', async () => {
    const log: string[] = [];
    const { turns } = await takeTurns([contestant('a', log), contestant('b', log)], { rounds: 2 });
    expect(log.join('')).toBe('abbaab');
    expect(turns.a?.map((turn) => turn.round)).toEqual([1, 2]);
    expect(turns.a?.map((turn) => turn.rate)).toEqual([4, 5]);
  });

  it('goes on without a contestant that failed and says why', async () => {
    const log: string[] = [];
    const { turns, failures } = await takeTurns([contestant('a', log, true), contestant('b', log)], { rounds: 2 });
    expect(failures).toEqual({ a: 'answered 500' });
    expect(turns.b).toHaveLength(2);
    expect(log.join('')).toBe('abbb');
  });
});

describe('rotate', () => {
  it('keeps every item', () => {
    expect(rotate([1, 2, 3], 4)).toEqual([2, 3, 1]);
    expect(rotate([], 3)).toEqual([]);
  });
});
