import { SIGNED_UPLOADS_CHANNEL } from '@carcosa/database';
import type { ProjectId } from '@carcosa/kernel';
import type { Notifications } from '../notifications.ts';

/** Of whoever waits; `end` must be called. */
export interface Listening {
  /** Resolves at the next announcement of any of the keys, or after so many milliseconds. */
  next(milliseconds: number): Promise<void>;
  end(): void;
}

/** Wakes who waits for something to become of a key, on whichever process it happens. */
export class SignedUploadAnnouncements {
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #unsubscribe: () => void;
  #isClosed = false;

  constructor({ notifications }: { notifications: Notifications }) {
    this.#unsubscribe = notifications.subscribe(SIGNED_UPLOADS_CHANNEL, ({ projectId, key }) =>
      this.#wake(placeOf(String(projectId), String(key))),
    );
  }

  /**
   * Begins to listen at once, so that nothing is missed between a look and the wait for the next.
   */
  listen(projectId: ProjectId, keys: readonly string[]): Listening {
    let isWoken = false;
    let wake: () => void = () => {};
    const heard = (): void => {
      isWoken = true;
      wake();
    };
    const places = keys.map((key) => placeOf(projectId, key));
    for (const place of places) this.#waiting.set(place, (this.#waiting.get(place) ?? new Set()).add(heard));
    return {
      next: async (milliseconds) => {
        if (!isWoken && !this.#isClosed) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, milliseconds);
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
        isWoken = false;
      },
      end: () => {
        for (const place of places) this.#forget(place, heard);
        heard();
      },
    };
  }

  /** Whether nobody should wait any more: the process stops. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whoever waits goes on, and sees that this has ended. */
  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    for (const place of [...this.#waiting.keys()]) this.#wake(place);
  }

  #wake(place: string): void {
    for (const heard of this.#waiting.get(place) ?? []) heard();
  }

  #forget(place: string, heard: () => void): void {
    const listeners = this.#waiting.get(place);
    listeners?.delete(heard);
    if (listeners?.size === 0) this.#waiting.delete(place);
  }
}

const placeOf = (projectId: string, key: string): string => `${projectId}/${key}`;
