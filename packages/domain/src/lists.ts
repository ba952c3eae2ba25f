import type { Page } from '@carcosa/contracts';
import { decodeCursor, encodeCursor } from './files/cursor.ts';

/** The id after which a page begins. @throws CarcosaError `invalid_request` for a cursor of another list */
export function afterId(list: string, cursor: string | undefined): string | undefined {
  return cursor === undefined ? undefined : decodeCursor(list, cursor, [''])[0];
}

/** A page of what was found with one more than `limit`, in the order of ids. */
export function pageOf<Row extends { id: string } | { userId: string }, Item>(
  list: string,
  rows: readonly Row[],
  limit: number,
  toItem: (row: Row) => Item,
): Page<Item> {
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  const hasMore = rows.length > limit;
  const nextCursor = hasMore && last ? encodeCursor(list, ['id' in last ? last.id : last.userId]) : null;
  return { items: kept.map(toItem), nextCursor, hasMore };
}
