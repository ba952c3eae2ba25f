import type { ServerResponse } from 'node:http';
import type { Event } from '@carcosa/contracts';
import type { Actor, FedEvent, LiveOutlet, OperationState, View } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import type { CredentialRequest } from '../http/credentials.ts';
import { LiveConnection, type LiveConnectionParts } from './live-connection.ts';
import type { LiveConnections } from './live-connections.ts';

/** Milliseconds between two comments that keep proxies from taking the connection for dead. */
const HEARTBEAT_MS = 15_000;
/** Bytes that may wait for a client for longer than the time between two looks, in milliseconds; and at all, when much happens at once. */
const MAX_WAITING = 1024 * 1024;
const SLOW_EVERY_MS = 1_000;
const MOST_WAITING = 32 * 1024 * 1024;
/** Milliseconds after which a browser connects again. */
const RETRY_MS = 1_000;
/** Milliseconds that a client has to read what was sent while it catches up. */
const PATIENCE_MS = 30_000;

export interface EventSourcesParts extends LiveConnectionParts {
  connections: LiveConnections;
}

/** What a client wants to be told. */
export interface Wanted {
  rooms: readonly string[];
  since: string | undefined;
}

/** Server-Sent Events (WHATWG HTML, section 9.2): each event as a message whose id is the cursor to go on from. */
export class EventSources implements LiveOutlet {
  readonly #parts: EventSourcesParts;
  readonly #byView = new Map<string, Set<ServerResponse>>();
  readonly #open = new Set<ServerResponse>();
  /** Those for whom too much waited at the last look. */
  #behind = new Set<ServerResponse>();
  readonly #timers: NodeJS.Timeout[];

  constructor(parts: EventSourcesParts) {
    this.#parts = parts;
    parts.hub.addOutlet(this);
    const heartbeat = Buffer.from(': heartbeat\n\n');
    const beat = (): void => {
      for (const response of this.#open) write(response, heartbeat);
    };
    this.#timers = [setInterval(beat, HEARTBEAT_MS).unref(), setInterval(() => this.#cutSlow(), SLOW_EVERY_MS).unref()];
  }

  event({ event, cursor }: FedEvent, keys: readonly string[]): void {
    this.#tell(keys, () => message(event, cursor));
  }

  progress(state: OperationState, key: string): void {
    this.#tell([key], () => `event: progress\ndata: ${JSON.stringify(state)}\n\n`);
  }

  /**
   * Decides what the actor may see, then answers with a stream of it that ends only with the connection.
   * @param begin writes the head of the answer and gives what is written to; called when nothing can be refused any more
   * @throws CarcosaError `not_found`, `forbidden`, `invalid_request`, `rate_limited`, `overloaded`: nothing is answered then
   */
  async open(
    who: { actor: Actor; request: CredentialRequest },
    { rooms, since }: Wanted,
    begin: (retry: string) => ServerResponse,
  ): Promise<void> {
    const { connections } = this.#parts;
    const release = connections.admitBoth(who.request.ip, who.actor);
    let response: ServerResponse | undefined;
    // Nothing is written before the first event, or the end of those that happened before: until then it can be refused.
    const begun = (): ServerResponse => {
      response ??= begin(`retry: ${RETRY_MS}\n\n`);
      return response;
    };
    const connection = new LiveConnection(this.#parts, who, {
      deliver: (event, cursor) => write(begun(), message(event, cursor)),
      drained: () => untilDrained(begun()),
      join: ({ key }: View) => void this.#byView.set(key, (this.#byView.get(key) ?? new Set()).add(begun())),
      leave: ({ key }: View) => this.#leave(key, begun()),
      // A message without data is none, but its id counts: also who is cut off before the first event knows where it was.
      caughtUp: (cursor) => write(begun(), `id: ${cursor}\n\n`),
      expelled: (_room, error) => end(begun(), error),
      end: (error) => end(begun(), error),
    });
    try {
      await connection.subscribe(rooms, since);
    } catch (error) {
      connection.close();
      release();
      if (!response) throw error;
      response.destroy();
      return;
    }
    const answer = begun();
    const close = (): void => {
      this.#open.delete(answer);
      connections.delete(connection);
      connection.close();
      release();
    };
    if (answer.destroyed) return close();
    this.#open.add(answer);
    connections.add(connection);
    answer.once('close', close);
  }

  /** Ends all streams; browsers connect again by themselves, and go on where they were. */
  moveOn(): void {
    for (const response of this.#open) end(response, new CarcosaError('shutting_down'));
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const response of this.#open) response.destroy();
  }

  #tell(keys: readonly string[], text: () => string): void {
    const responses = new Set<ServerResponse>();
    for (const key of keys) for (const response of this.#byView.get(key) ?? []) responses.add(response);
    if (responses.size === 0) return;
    // One copy for all who wait for it.
    const written = Buffer.from(text());
    for (const response of responses) write(response, written);
  }

  /** Drops who does not read as fast as things happen; what happened is told when it comes back. */
  #cutSlow(): void {
    const behind = [...this.#open].filter(({ writableLength }) => writableLength > MAX_WAITING);
    for (const response of behind) if (this.#behind.has(response)) response.destroy();
    this.#behind = new Set(behind);
  }

  #leave(key: string, response: ServerResponse): void {
    const there = this.#byView.get(key);
    there?.delete(response);
    if (there?.size === 0) this.#byView.delete(key);
  }
}

const message = (event: Event, cursor: string): string => `id: ${cursor}\ndata: ${JSON.stringify(event)}\n\n`;

function write(response: ServerResponse, text: string | Buffer): void {
  if (response.writableLength > MOST_WAITING) response.destroy();
  else response.write(text);
}

function end(response: ServerResponse, error: CarcosaError): void {
  response.end(`event: closing\ndata: ${JSON.stringify({ error: error.code, message: error.message })}\n\n`);
}

/** @throws CarcosaError `request_timeout` when the client does not read, or is gone */
async function untilDrained(response: ServerResponse): Promise<void> {
  if (response.destroyed) throw new CarcosaError('request_timeout');
  if (!response.writableNeedDrain) return;
  await new Promise<void>((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      response.off('drain', settle).off('close', settle);
      if (response.destroyed) reject(new CarcosaError('request_timeout'));
      else resolve();
    };
    const timer = setTimeout(() => response.destroy(), PATIENCE_MS);
    response.on('drain', settle).on('close', settle);
  });
}
