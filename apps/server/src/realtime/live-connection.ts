import { MAX_ROOMS } from '@carcosa/contracts';
import type { Actor, EventFeed, EventStreams, LiveHub, Reader, Rooms, View } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import type { CredentialRequest } from '../http/credentials.ts';

/** The way out to one client. */
export interface Channel extends Omit<Reader, 'join'> {
  /** From now on the client gets what the view shows, until {@link leave}. */
  join(view: View): void;
  leave(view: View): void;
  /** All that happened before `cursor` has been told. */
  caughtUp?(cursor: string): void;
  /** The client may no longer be in the room. */
  expelled(room: string, error: CarcosaError): void;
  /** The client may not be here any more. */
  end(error: CarcosaError): void;
}

export interface LiveConnectionParts {
  rooms: Rooms;
  streams: EventStreams;
  hub: LiveHub;
  feed: EventFeed;
}

/** One client that is told what happens: its rooms, and what it sees in each. */
export class LiveConnection {
  readonly request: CredentialRequest;
  readonly #parts: LiveConnectionParts;
  readonly #channel: Channel;
  readonly #views = new Map<string, View>();
  #actor: Actor;
  #unwant: (() => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(parts: LiveConnectionParts, who: { actor: Actor; request: CredentialRequest }, channel: Channel) {
    this.#parts = parts;
    this.#channel = channel;
    this.#actor = who.actor;
    this.request = who.request;
  }

  get actor(): Actor {
    return this.#actor;
  }

  get rooms(): readonly string[] {
    return [...this.#views.keys()];
  }

  /**
   * Joins rooms, all or none; first tells what happened there since.
   * @returns where the client stands
   * @throws CarcosaError `not_found`, `forbidden`, `invalid_request`
   */
  subscribe(rooms: readonly string[], since?: string): Promise<string> {
    return this.#inTurn(async () => {
      const fresh = [...new Set(rooms)];
      if (new Set([...this.#views.keys(), ...fresh]).size > MAX_ROOMS)
        throw new CarcosaError('invalid_request', { message: `One connection can be in ${MAX_ROOMS} rooms at most.` });
      const views = await Promise.all(fresh.map((room) => this.#parts.rooms.open(this.#actor, room)));
      if (this.#isClosed) throw new CarcosaError('shutting_down');
      this.#unwant ??= this.#parts.feed.want();
      const { deliver, drained } = this.#channel;
      const join = (cursor: string): void => {
        for (const [at, room] of fresh.entries()) this.#put(room, views[at]);
        this.#channel.caughtUp?.(cursor);
      };
      return await this.#parts.streams.open(views, since, {
        deliver: deliver.bind(this.#channel),
        drained: drained.bind(this.#channel),
        join,
      });
    });
  }

  /** Joins a room of which the client is told otherwise than by events: only the right to it is kept in sight. */
  watch(room: string): Promise<void> {
    return this.#inTurn(async () => this.#put(room, await this.#parts.rooms.open(this.#actor, room)));
  }

  unsubscribe(rooms: readonly string[]): void {
    for (const room of rooms) this.#put(room, undefined);
  }

  /**
   * Looks again at what the client may do, after something that its rights depend on has changed.
   * @param open decides about a room, as `Rooms.open` does
   */
  async recheck(actor: Actor, open: (actor: Actor, room: string) => Promise<View>): Promise<void> {
    this.#actor = actor;
    await this.#inTurn(async () => {
      for (const room of this.rooms) {
        try {
          this.#put(room, await open(actor, room));
        } catch (error) {
          if (!(error instanceof CarcosaError)) throw error;
          this.#put(room, undefined);
          this.#channel.expelled(room, error);
        }
      }
    });
  }

  end(error: CarcosaError): void {
    this.#channel.end(error);
  }

  /** To be called when the client is gone. */
  close(): void {
    this.#isClosed = true;
    this.unsubscribe(this.rooms);
    this.#unwant?.();
  }

  #put(room: string, view: View | undefined): void {
    const former = this.#views.get(room);
    if (view && former?.key === view.key) return;
    if (view && !this.#isClosed) {
      this.#views.set(room, view);
      this.#parts.hub.join(view);
      this.#channel.join(view);
    } else this.#views.delete(room);
    if (!former) return;
    this.#parts.hub.leave(former);
    this.#channel.leave(former);
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work, work);
    this.#turn = result.catch(() => {});
    return result;
  }
}
