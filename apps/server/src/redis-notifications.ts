import type { Notifications } from '@carcosa/domain';
import type { Logger } from '@carcosa/kernel';
import type { Redis } from 'ioredis';

const CONNECT_TIMEOUT = 2_000;
const LONGEST_RETRY = 2_000;

export interface RedisNotificationsParts {
  /** As `redis://` or `rediss://`. */
  url: string;
  /** Serves as long as Redis does not answer. */
  otherwise: Notifications;
  logger: Logger;
}

/**
 * Short messages between nodes by PUBLISH and SUBSCRIBE of Redis: for those that are many and may be lost, so that they cost the database nothing.
 * Without Redis they go the other way; whoever listens hears both.
 */
export class RedisNotifications implements Notifications {
  readonly #parts: RedisNotificationsParts;
  readonly #handlers = new Map<string, Set<(payload: Record<string, unknown>) => void>>();
  #publisher: Redis | undefined;
  #subscriber: Redis | undefined;
  #isClosed = false;

  /** Connects in the background, and again and again when that fails: nothing waits for it. */
  constructor(parts: RedisNotificationsParts) {
    this.#parts = parts;
    this.#connect().catch((error: unknown) => parts.logger.debug({ err: error }, 'redis'));
  }

  async publish(channel: string, payload: Record<string, unknown>): Promise<void> {
    if (this.#publisher?.status === 'ready') {
      // Those who hear nothing there listen at the database; they are told by neither for a moment at worst.
      const heard = await this.#publisher.publish(channel, JSON.stringify(payload)).catch(() => 0);
      if (heard > 0) return;
    }
    await this.#parts.otherwise.publish(channel, payload);
  }

  subscribe(channel: string, handler: (payload: Record<string, unknown>) => void): () => void {
    const handlers = this.#handlers.get(channel) ?? new Set();
    this.#handlers.set(channel, handlers.add(handler));
    // What is subscribed to is subscribed to again by the library when the connection comes back.
    if (this.#subscriber?.status === 'ready') this.#subscriber.subscribe(channel).catch(() => {});
    const end = this.#parts.otherwise.subscribe(channel, handler);
    return () => {
      end();
      handlers.delete(handler);
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#publisher?.disconnect();
    this.#subscriber?.disconnect();
  }

  async #connect(): Promise<void> {
    // Loaded only where it is wanted: most servers are one node.
    const { Redis } = await import('ioredis');
    if (this.#isClosed) return;
    const open = (): Redis => {
      const redis = new Redis(this.#parts.url, {
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        connectTimeout: CONNECT_TIMEOUT,
        retryStrategy: (attempt) => Math.min(LONGEST_RETRY, attempt * 100),
      });
      // Without a listener an error of the connection would end the process.
      redis.on('error', (error) => this.#parts.logger.debug({ err: error }, 'redis'));
      return redis;
    };
    this.#publisher = open();
    const subscriber = open();
    this.#subscriber = subscriber;
    subscriber.on('message', (channel: string, text: string) => this.#heard(channel, text));
    subscriber.on('ready', () => {
      const channels = [...this.#handlers.keys()];
      if (channels.length > 0) subscriber.subscribe(...channels).catch(() => {});
    });
  }

  #heard(channel: string, text: string): void {
    let payload: unknown;
    try {
      payload = JSON.parse(text);
    } catch {
      return;
    }
    if (typeof payload !== 'object' || payload === null) return;
    for (const handler of this.#handlers.get(channel) ?? []) handler(payload as Record<string, unknown>);
  }
}
