import type { Event } from '@carcosa/contracts';
import { findEventPosition, type Queryable, readEventsAt } from '@carcosa/database';
import { isId } from '@carcosa/kernel';
import { type EventFeed, eventOf } from './event-feed.ts';
import type { View } from './live-views.ts';
import { decodeSeen, encodeSeen, type Seen, seenBetween, seenSince, wrongCursor } from './seen.ts';

/** Events that are read at once for somebody who catches up. */
const PAGE = 200;

export interface EventStreamsParts {
  db: Queryable;
  feed: EventFeed;
  publicUrl: string;
}

/** Somebody who catches up. */
export interface Reader {
  deliver(event: Event, cursor: string): void;
  /** Resolves when there is room for more, and rejects when nobody reads any more. */
  drained(): Promise<void>;
  /** From here on all events of the feed must reach the reader, who stands at `cursor`: called once, between two events. */
  join(cursor: string): void;
}

/** Hands over from what has happened to what happens: nothing is missed between them, and nothing told twice. */
export class EventStreams {
  readonly #parts: EventStreamsParts;

  constructor(parts: EventStreamsParts) {
    this.#parts = parts;
  }

  /**
   * Delivers what the views show since a cursor, then lets the reader join. The feed must be wanted by the caller.
   * @param since a cursor, or the id of the last event that was received; undefined: from now on
   * @returns where the reader stands when it joins
   * @throws CarcosaError `invalid_request` for a `since` that is neither
   */
  async open(views: readonly View[], since: string | undefined, reader: Reader): Promise<string> {
    const { feed } = this.#parts;
    let seen = since === undefined ? undefined : await this.#seenBy(views, since);
    for (;;) {
      await feed.fresh();
      const [target, mark] = [feed.seen, feed.count];
      if (seen) await this.#deliver(views, seen, target, reader);
      const rest = feed.since(mark);
      if (rest) {
        for (const each of rest) if (showsAny(views, each.row)) reader.deliver(each.event, each.cursor);
        const cursor = encodeSeen(feed.seen);
        reader.join(cursor);
        return cursor;
      }
      seen = target;
    }
  }

  async #seenBy(views: readonly View[], since: string): Promise<Seen> {
    if (!isId('event', since)) return decodeSeen(since);
    const { db, publicUrl } = this.#parts;
    const position = await findEventPosition(db, since);
    if (position === null) throw wrongCursor();
    // Only of events that one may see can one say where they stand.
    const ranges = [{ from: position, to: position }];
    const places = views.flatMap((view) => view.places);
    const [row] = await readEventsAt(db, { ranges, places, limit: 1, publicUrl });
    if (!row || !showsAny(views, row)) throw wrongCursor();
    return { upTo: position, gaps: [] };
  }

  /** What `target` has seen beyond `seen`: all of it is committed, so that pages fit together. */
  async #deliver(views: readonly View[], seen: Seen, target: Seen, reader: Reader): Promise<void> {
    const { db, publicUrl } = this.#parts;
    const places = views.flatMap((view) => view.places);
    let ranges = seenSince(seen, target);
    for (;;) {
      const rows = await readEventsAt(db, { ranges, places, limit: PAGE, publicUrl });
      for (const row of rows) {
        if (showsAny(views, row)) reader.deliver(eventOf(row), encodeSeen(seenBetween(seen, target, row.position)));
      }
      const last = rows.at(-1)?.position;
      if (last === undefined || rows.length < PAGE) return;
      await reader.drained();
      ranges = ranges.flatMap(({ from, to }) => (to <= last ? [] : [{ from: Math.max(from, last + 1), to }]));
    }
  }
}

type Row = Parameters<View['shows']>[0];

/** Views are asked only about events of their places. */
function showsAny(views: readonly View[], row: Row): boolean {
  return views.some((view) => view.places.some((place) => isAt(row, place)) && view.shows(row));
}

function isAt(row: Row, { column, id }: View['places'][number]): boolean {
  if (column === 'organization_id') return row.organizationId === id;
  if (column === 'project_id') return row.projectId === id;
  return (column === 'tenant_id' ? row.tenantId : row.teamId) === id;
}
