import { isDatabaseError, toDatabaseError } from '@carcosa/database';
import { Histogram, isCarcosaError } from '@carcosa/kernel';

export interface GroupCommitOptions<Item, Result> {
  /** Does all of `items` in one transaction and answers for each, in their order. */
  run(items: Item[]): Promise<Result[]>;
  /** Items with the same key never go into one group. */
  key?(item: Item): string;
  /** Items a group holds at most. */
  maxItems: number;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Lets callers that come at the same time share one transaction and so one sync of the database's log. Nobody waits for
 * company: a group is whatever came while the one before was under way.
 */
export class GroupCommit<Item, Result> {
  /** Items of each group that was begun. */
  readonly sizes = new Histogram([1, 2, 4, 8, 16, 32, 64, 128]);
  readonly #options: GroupCommitOptions<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #running = false;

  constructor(options: GroupCommitOptions<Item, Result>) {
    this.#options = options;
  }

  submit(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      // In the next turn: requests that the same read of sockets brought belong together.
      setImmediate(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#runGroup(this.#takeGroup());
    this.#running = false;
  }

  #takeGroup(): Waiting<Item, Result>[] {
    const { key, maxItems } = this.#options;
    if (!key) return this.#waiting.splice(0, maxItems);
    const group: Waiting<Item, Result>[] = [];
    const later: Waiting<Item, Result>[] = [];
    const keys = new Set<string>();
    for (const waiting of this.#waiting) {
      const itemKey = key(waiting.item);
      if (group.length < maxItems && !keys.has(itemKey)) {
        keys.add(itemKey);
        group.push(waiting);
      } else later.push(waiting);
    }
    this.#waiting = later;
    return group;
  }

  async #runGroup(group: Waiting<Item, Result>[], isAgain = false): Promise<void> {
    this.sizes.observe(group.length);
    try {
      const results = await this.#options.run(group.map(({ item }) => item));
      group.forEach(({ resolve }, index) => {
        resolve(results[index] as Result);
      });
    } catch (error) {
      await this.#afterFailure(group, error, isAgain);
    }
  }

  /**
   * One bad item must not fail its neighbours: they are tried one by one. A database that is away is no item's fault, and waiting for
   * it once for each would take for ever: they are tried again together, once, for an answer may have been lost after it committed.
   */
  async #afterFailure(group: Waiting<Item, Result>[], error: unknown, isAgain: boolean): Promise<void> {
    if (isUnavailable(error)) {
      if (!isAgain) return this.#runGroup(group, true);
      for (const { reject } of group) reject(error);
    } else if (group.length === 1) group[0]?.reject(error);
    else for (const waiting of group) await this.#runGroup([waiting], isAgain);
  }
}

function isUnavailable(error: unknown): boolean {
  const known = isDatabaseError(error) ? toDatabaseError(error) : error;
  return isCarcosaError(known, 'database_unavailable');
}
