import type { EventFeed, FedEvent } from './event-feed.ts';
import { LiveViews, type View } from './live-views.ts';
import type { OperationProgress, OperationState } from './operation-progress.ts';

/** Whoever hands on to clients what happens. */
export interface LiveOutlet {
  /** An event, for all who have a view of one of the keys. */
  event(event: FedEvent, keys: readonly string[]): void;
  /** Where an operation stands, for all who have a view of the key. */
  progress(state: OperationState, key: string): void;
}

export interface LiveHubParts {
  feed: EventFeed;
  operations: Pick<OperationProgress, 'follow'>;
}

/** Knows through which views clients of this process look, and gives each event and progress to those who see it. */
export class LiveHub {
  readonly #parts: LiveHubParts;
  readonly #views = new LiveViews();
  readonly #outlets = new Set<LiveOutlet>();
  readonly #followed = new Map<string, () => void>();
  readonly #unlisten: () => void;

  constructor(parts: LiveHubParts) {
    this.#parts = parts;
    this.#unlisten = parts.feed.listen((event) => this.#hand(event));
  }

  addOutlet(outlet: LiveOutlet): void {
    this.#outlets.add(outlet);
  }

  /** Somebody looks through the view from now on. */
  join(view: View): void {
    if (!this.#views.add(view) || view.operationId === undefined) return;
    const { key, operationId } = view;
    const follower = (state: OperationState): void => {
      for (const outlet of this.#outlets) outlet.progress(state, key);
    };
    this.#followed.set(key, this.#parts.operations.follow(operationId, follower));
  }

  leave(view: View): void {
    if (!this.#views.remove(view)) return;
    this.#followed.get(view.key)?.();
    this.#followed.delete(view.key);
  }

  close(): void {
    this.#unlisten();
  }

  #hand(event: FedEvent): void {
    const keys = this.#views.showing(event);
    if (keys.length === 0) return;
    for (const outlet of this.#outlets) outlet.event(event, keys);
  }
}
