import { isStorable } from '@carcosa/contracts';
import { CarcosaError } from '@carcosa/kernel';

export type CursorValue = string | number;

/**
 * Where a page ended, as clients carry it: opaque to them, base64url of `[list, …values]`. It is not signed, because it opens
 * nothing: whoever makes one up only begins at another place of a list that they may read anyway.
 * @param list which list and order it belongs to
 */
export function encodeCursor(list: string, values: readonly CursorValue[]): string {
  return Buffer.from(JSON.stringify([list, ...values])).toString('base64url');
}

/**
 * The values of a cursor, as many and of such types as `like` has.
 * @throws CarcosaError `invalid_request` when it is damaged, or of another list or order
 */
export function decodeCursor<const Like extends readonly CursorValue[]>(
  list: string,
  cursor: string,
  like: Like,
): Widened<Like> {
  const [of, ...values] = parse(cursor);
  const fits =
    of === list && values.length === like.length && values.every((value, index) => isLike(value, like[index]));
  if (!fits)
    throw new CarcosaError('invalid_request', {
      message: 'The cursor is not one that this list, in this order, gave out.',
    });
  return values as Widened<Like>;
}

type Widened<Like extends readonly CursorValue[]> = {
  -readonly [Index in keyof Like]: Like[Index] extends number ? number : string;
};

function parse(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function isLike(value: unknown, like: CursorValue | undefined): boolean {
  // Sizes, versions and instants: none is below 0, and PostgreSQL knows no instant that far below.
  if (typeof like === 'number') return Number.isSafeInteger(value) && Number(value) >= 0;
  return typeof value === 'string' && isStorable(value);
}
