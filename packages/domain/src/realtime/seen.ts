import type { PositionRange } from '@carcosa/database';
import { CarcosaError } from '@carcosa/kernel';

/**
 * Which events somebody has seen: all up to a position, but for gaps. A gap is a position whose transaction had not been committed when a larger one was
 * seen: its event may come later, or never.
 */
export interface Seen {
  readonly upTo: number;
  /** Ascending, apart from each other, below `upTo`. */
  readonly gaps: readonly PositionRange[];
}

/** Most gaps that a cursor names: beyond that they are taken together with what is between them, which may then be told twice. */
const MAX_GAPS = 64;

/** The same after an event at `position` was seen, which was not seen before. Positions above `upTo` that were passed over become gaps. */
export function afterSeeing({ upTo, gaps }: Seen, position: number): Seen {
  if (position > upTo) {
    const passed = position > upTo + 1 ? [{ from: upTo + 1, to: position - 1 }] : [];
    return { upTo: position, gaps: passed.length > 0 ? [...gaps, ...passed] : gaps };
  }
  return { upTo, gaps: gaps.flatMap((gap) => without(gap, [{ from: position, to: position }])) };
}

/** What `later` has seen beyond `earlier`, as ascending ranges that lie apart. */
export function seenSince(earlier: Seen, later: Seen): PositionRange[] {
  const fresh = earlier.upTo < later.upTo ? [{ from: earlier.upTo + 1, to: later.upTo }] : [];
  return [...earlier.gaps.filter(({ from }) => from <= later.upTo), ...fresh].flatMap((range) =>
    without(range, later.gaps),
  );
}

/** What somebody has seen who had seen `earlier`, and was told what `later` adds to it up to `position`, in the order of positions. */
export function seenBetween(earlier: Seen, later: Seen, position: number): Seen {
  const told = later.gaps.filter(({ from }) => from <= position);
  const untold = earlier.gaps.filter(({ to }) => to > position);
  return {
    upTo: Math.max(earlier.upTo, position),
    gaps: [
      ...told.map(({ from, to }) => ({ from, to: Math.min(to, position) })),
      ...untold.map(({ from, to }) => ({ from: Math.max(from, position + 1), to })),
    ],
  };
}

/** Written for clients, who hand it back: the position, and how far below it each gap begins and how long it is, in base 36. */
export function encodeSeen({ upTo, gaps }: Seen): string {
  const written = bounded(gaps).map(({ from, to }) => `.${(upTo - from).toString(36)}-${(to - from).toString(36)}`);
  return `c${upTo.toString(36)}${written.join('')}`;
}

const FORM = /^c[0-9a-z]{1,10}(\.[0-9a-z]{1,10}-[0-9a-z]{1,10}){0,64}$/;

/** @throws CarcosaError `invalid_request` for what {@link encodeSeen} has not written */
export function decodeSeen(cursor: string): Seen {
  if (!FORM.test(cursor)) throw wrongCursor();
  const [head = '', ...rest] = cursor.slice(1).split('.');
  const upTo = Number.parseInt(head, 36);
  const gaps = rest.map((text) => {
    const [below = 0, length = 0] = text.split('-').map((part) => Number.parseInt(part, 36));
    return { from: upTo - below, to: upTo - below + length };
  });
  const ascends = gaps.every(({ from, to }, at) => from > (gaps[at - 1]?.to ?? 0) && to < upTo);
  if (!Number.isSafeInteger(upTo) || !ascends) throw wrongCursor();
  return { upTo, gaps };
}

export function wrongCursor(): CarcosaError {
  return new CarcosaError('invalid_request', {
    message: '"since" is neither a cursor that came with an event nor the id of an event that you may see.',
  });
}

/** A range without what the others cover. */
function without(range: PositionRange, others: readonly PositionRange[]): PositionRange[] {
  const left: PositionRange[] = [];
  let { from } = range;
  for (const other of others) {
    if (other.to < from) continue;
    if (other.from > range.to) break;
    if (other.from > from) left.push({ from, to: other.from - 1 });
    from = other.to + 1;
  }
  if (from <= range.to) left.push({ from, to: range.to });
  return left;
}

function bounded(gaps: readonly PositionRange[]): readonly PositionRange[] {
  if (gaps.length <= MAX_GAPS) return gaps;
  const merged = gaps.slice(0, gaps.length - MAX_GAPS + 1);
  const [first, last] = [merged[0], merged.at(-1)];
  return first && last ? [{ from: first.from, to: last.to }, ...gaps.slice(merged.length)] : gaps;
}
