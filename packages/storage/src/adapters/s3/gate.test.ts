import { expect, it } from 'vitest';
import { Gate } from './gate.ts';

it('lets so many in at a time, in the order in which they came, whatever becomes of them', async () => {
  const gate = new Gate(2);
  const begun: number[] = [];
  let running = 0;
  const work = (index: number) =>
    gate.run(async () => {
      begun.push(index);
      running += 1;
      expect(running).toBeLessThanOrEqual(2);
      await Promise.resolve();
      running -= 1;
      if (index === 1) throw new Error('one that fails');
      return index;
    });
  const results = await Promise.allSettled([0, 1, 2, 3, 4].map(work));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});
