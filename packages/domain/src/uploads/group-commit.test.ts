import { CarcosaError } from '@carcosa/kernel';
import { describe, expect, it } from 'vitest';
import { GroupCommit } from './group-commit.ts';

const gone = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' });

/** Groups that were run, in order; `fail` throws for those that shall fail. */
function recorded(fail: (group: number[], count: number) => void) {
  const groups: number[][] = [];
  const commit = new GroupCommit<number, number>({
    maxItems: 10,
    run: async (items) => {
      groups.push(items);
      fail(items, groups.length);
      return items.map((item) => item * 10);
    },
  });
  return { groups, all: (...items: number[]) => Promise.allSettled(items.map((item) => commit.submit(item))) };
}

describe('a group commit', () => {
  it('gives each its own result', async () => {
    const { groups, all } = recorded(() => {});
    expect((await all(1, 2, 3)).map((each) => each.status === 'fulfilled' && each.value)).toEqual([10, 20, 30]);
    expect(groups).toEqual([[1, 2, 3]]);
  });

  it('fails only the item that is at fault', async () => {
    const { all } = recorded((items) => {
      if (items.includes(2)) throw new Error('2 is wrong');
    });
    expect((await all(1, 2, 3)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it.each([
    ['as the driver says it', gone],
    ['as we say it', () => new CarcosaError('database_unavailable')],
  ])('tries twice, not once for each, when the database is gone: %s', async (_how, error) => {
    const { groups, all } = recorded(() => {
      throw error();
    });
    expect((await all(1, 2, 3, 4)).map(({ status }) => status)).toEqual(new Array(4).fill('rejected'));
    expect(groups).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
  });

  it('asks again when an answer was lost', async () => {
    const { all } = recorded((_items, count) => {
      if (count === 1) throw gone();
    });
    expect((await all(1, 2)).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
  });
});
