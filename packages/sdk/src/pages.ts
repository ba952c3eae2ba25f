export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
  hasMore: boolean;
}

/** A list that the server gives in pages: walk through all of it with `for await`, or ask for one page. */
export interface Pages<Item> extends AsyncIterable<Item> {
  /** One page; `cursor` is the `nextCursor` of the one before. */
  page(cursor?: string): Promise<Page<Item>>;
  /** All items, or the first `most`. */
  toArray(most?: number): Promise<Item[]>;
}

export function pages<Item>(load: (cursor: string | undefined) => Promise<Page<Item>>): Pages<Item> {
  async function* walk() {
    let cursor: string | undefined;
    do {
      const { items, nextCursor } = await load(cursor);
      yield* items;
      cursor = nextCursor ?? undefined;
    } while (cursor !== undefined);
  }
  return {
    page: load,
    [Symbol.asyncIterator]: walk,
    async toArray(most = Number.POSITIVE_INFINITY) {
      const all: Item[] = [];
      if (most <= 0) return all;
      for await (const item of walk()) if (all.push(item) >= most) break;
      return all;
    },
  };
}
