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

  async #runGroup(group: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#options.run(group.map(({ item }) => item));
      group.forEach(({ resolve }, index) => {
        resolve(results[index] as Result);
      });
    } catch (error) {
      if (group.length === 1) group[0]?.reject(error);
      // One bad item must not fail its neighbours.
      else for (const waiting of group) await this.#runGroup([waiting]);
    }
  }
}
