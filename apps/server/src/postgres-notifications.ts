import type { Listener, Queryable } from '@carcosa/database';
import type { Notifications } from '@carcosa/domain';

/** Notifications over LISTEN and NOTIFY of the database that all nodes share. */
export class PostgresNotifications implements Notifications {
  readonly #db: Queryable;
  readonly #listener: Listener;

  constructor(parts: { db: Queryable; listener: Listener }) {
    this.#db = parts.db;
    this.#listener = parts.listener;
  }

  async publish(channel: string, payload: Record<string, unknown>): Promise<void> {
    await this.#db.query('select pg_notify($1, $2)', [channel, JSON.stringify(payload)]);
  }

  /**
   * @param missed called when messages may have been lost: when listening has begun, and when the connection was lost for a while
   */
  subscribe(channel: string, handler: (payload: Record<string, unknown>) => void, missed?: () => void): () => void {
    const subscriber = {
      notified: (payload: unknown): void => {
        if (typeof payload === 'object' && payload !== null) handler(payload as Record<string, unknown>);
      },
      ...(missed ? { missed } : {}),
    };
    const subscribed = this.#listener.subscribe(channel, subscriber);
    if (missed) void subscribed.then(() => missed());
    return () => void subscribed.then((unsubscribe) => unsubscribe());
  }
}
