import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@carcosa/kernel';
import pg from 'pg';
import { CONNECTION_DEFAULTS } from './pool.ts';

export interface ChannelSubscriber {
  /** A notification, its payload parsed as JSON; an empty payload is `undefined`. */
  notified(payload: unknown): void;
  /** The connection was lost and is back: what was notified meanwhile is unknown, so look for yourself. */
  missed?(): void;
}

export interface ListenerOptions {
  readonly connectionString: string;
  readonly logger: Logger;
  /** Milliseconds between checks that the connection still answers; default 30,000. */
  readonly checkInterval?: number;
  /** Milliseconds that the server has for an answer, before the connection counts as lost; default 10,000. */
  readonly checkTimeout?: number;
}

const CHECK_INTERVAL = 30_000;
const CHECK_TIMEOUT = 10_000;
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 5_000;

/**
 * One connection of its own that listens for NOTIFY on any number of channels, and comes back by itself when it is lost.
 * A pool cannot do this: its connections change hands, and a pooler such as PgBouncer drops LISTEN.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #subscribers = new Map<string, Set<ChannelSubscriber>>();
  readonly #closing = new AbortController();
  /** The connection, while there is one. */
  #client: pg.Client | undefined;
  /** Resolves when the present or last attempt to connect has ended, well or not. */
  #attempt: Promise<unknown> = Promise.resolve();
  /** Resolves when the connection is free for the next statement: the driver takes one at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  #loop: Promise<void> | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /**
   * Listens on `channel`. When it resolves, the server has been told; where it cannot be reached, it is told as soon as it
   * is back, and `missed` is called then.
   * @returns ends the subscription.
   */
  async subscribe(channel: string, subscriber: ChannelSubscriber): Promise<() => Promise<void>> {
    const subscribers = this.#subscribers.get(channel) ?? new Set();
    this.#subscribers.set(channel, subscribers.add(subscriber));
    this.#loop ??= this.#run();
    // A connection that is being made takes this channel along with the others.
    if (this.#client === undefined) await this.#attempt;
    else await this.#tellOrDrop(this.#client, `listen ${pg.escapeIdentifier(channel)}`);
    return () => this.#unsubscribe(channel, subscriber);
  }

  async #unsubscribe(channel: string, subscriber: ChannelSubscriber): Promise<void> {
    const subscribers = this.#subscribers.get(channel);
    if (!subscribers?.delete(subscriber) || subscribers.size > 0) return;
    this.#subscribers.delete(channel);
    if (this.#client !== undefined) await this.#tellOrDrop(this.#client, `unlisten ${pg.escapeIdentifier(channel)}`);
  }

  /** Ends the connection; no subscriber is called any more. */
  async close(): Promise<void> {
    this.#subscribers.clear();
    this.#closing.abort();
    await this.#loop;
  }

  /** Connects, and again whenever the connection is lost, until closed. */
  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let pause = FIRST_PAUSE;
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const lost = Promise.withResolvers<void>();
      const connecting = this.#connect(lost.resolve);
      this.#attempt = connecting;
      const client = await connecting;
      if (client !== undefined) {
        pause = FIRST_PAUSE;
        if (!isFirst) this.#tellMissed();
        await this.#untilLost(client, lost.promise);
      }
      await delay(pause, undefined, { signal }).catch(() => {});
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  /** @returns undefined when the server cannot be reached. */
  async #connect(lost: () => void): Promise<pg.Client | undefined> {
    const { connectionString, logger, checkTimeout = CHECK_TIMEOUT } = this.#options;
    const client = new pg.Client({ ...CONNECTION_DEFAULTS, connectionString, query_timeout: checkTimeout });
    client.on('error', () => lost());
    client.on('end', () => lost());
    client.on('notification', ({ channel, payload }) => this.#deliver(channel, payload));
    try {
      await client.connect();
      this.#client = client;
      const channels = [...this.#subscribers.keys()];
      this.#turn = client.query(channels.map((channel) => `listen ${pg.escapeIdentifier(channel)}`).join(';'));
      await this.#turn;
      return client;
    } catch (error) {
      logger.warn({ error }, 'The connection that listens to the database cannot be made; it is tried again');
      this.#drop(client);
      return undefined;
    }
  }

  /** Resolves when the connection broke, no longer answers, or is not wanted any more; it is gone then. */
  async #untilLost(client: pg.Client, lost: Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    const unwanted = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => unwanted.resolve(), { once: true });
    if (signal.aborted) unwanted.resolve();
    const check = () => this.#tell(client, 'select 1').catch(() => unwanted.resolve());
    const timer = setInterval(check, this.#options.checkInterval ?? CHECK_INTERVAL);
    await Promise.race([lost, unwanted.promise]);
    clearInterval(timer);
    this.#drop(client);
    if (!signal.aborted)
      this.#options.logger.warn({}, 'The connection that listens to the database was lost; it is made again');
  }

  #drop(client: pg.Client): void {
    if (this.#client === client) this.#client = undefined;
    // A server that vanished never answers the farewell: nobody waits for it.
    client.end().catch(() => {});
  }

  /** Runs a statement after those before it. @throws what the driver says, when the connection is broken. */
  #tell(client: pg.Client, statement: string): Promise<unknown> {
    const told = this.#turn.catch(() => {}).then(() => client.query(statement));
    this.#turn = told;
    return told;
  }

  /** A statement that fails is one more sign of a lost connection: the next one makes up for it. */
  async #tellOrDrop(client: pg.Client, statement: string): Promise<void> {
    await this.#tell(client, statement).catch(() => this.#drop(client));
  }

  #deliver(channel: string, payload: string | undefined): void {
    try {
      const parsed: unknown = payload ? JSON.parse(payload) : undefined;
      for (const subscriber of this.#subscribers.get(channel) ?? []) this.#call(() => subscriber.notified(parsed));
    } catch (error) {
      this.#options.logger.warn({ error, channel }, 'A notification that is not JSON was ignored');
    }
  }

  #tellMissed(): void {
    for (const subscribers of this.#subscribers.values()) {
      for (const subscriber of subscribers) this.#call(() => subscriber.missed?.());
    }
  }

  /** The fault of one subscriber is not the others'. */
  #call(subscriber: () => void): void {
    try {
      subscriber();
    } catch (error) {
      this.#options.logger.error({ error }, 'A subscriber of database notifications failed');
    }
  }
}
