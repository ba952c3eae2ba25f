import type { IncomingMessage } from 'node:http';
import { isEnded, type OperationProgressMessage } from '@carcosa/contracts';
import { type Actor, type LiveOutlet, type OperationProgress, stateOf } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import { type WebSocket, WebSocketServer } from 'ws';
import type { CredentialRequest } from '../http/credentials.ts';
import { LiveConnection, type LiveConnectionParts } from './live-connection.ts';
import type { LiveConnections } from './live-connections.ts';
import { SUBPROTOCOL, type Upgrade } from './upgrades.ts';

/** Clients have nothing to say: bytes of a message that ends the connection. */
const MAX_MESSAGE = 1024;
const MAX_WAITING = 64 * 1024;
const PING_MS = 20_000;
/** Milliseconds that clients have to say goodbye. */
const FAREWELL_MS = 1_000;
/** RFC 6455, section 7.4.1. */
const CLOSE = { normal: 1000, policy: 1008, restart: 1012 };

export interface OperationSocketsParts extends LiveConnectionParts {
  connections: LiveConnections;
  operations: OperationProgress;
}

/** Plain WebSockets that tell of one upload or job: its state as JSON at once, at each change, and at the end, after which they close. */
export class OperationSockets implements LiveOutlet {
  readonly #parts: OperationSocketsParts;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    maxPayload: MAX_MESSAGE,
    perMessageDeflate: false,
    handleProtocols: (names) => (names.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  readonly #byView = new Map<string, Set<WebSocket>>();
  readonly #alive = new WeakSet<WebSocket>();
  readonly #heartbeat: NodeJS.Timeout;

  constructor(parts: OperationSocketsParts) {
    this.#parts = parts;
    parts.hub.addOutlet(this);
    this.#heartbeat = setInterval(() => this.#beat(), PING_MS).unref();
  }

  /**
   * Decides whether the actor may follow the operation, then takes the connection.
   * @param upgrade gives the connection; called when nothing can be refused any more
   * @throws CarcosaError `not_found`, `forbidden`, `rate_limited`, `overloaded`: the connection is not touched then
   */
  async open(
    id: string,
    who: { actor: Actor; request: CredentialRequest },
    { message, upgrade }: { message: IncomingMessage; upgrade: () => Upgrade },
  ): Promise<void> {
    const { connections, operations, rooms } = this.#parts;
    await rooms.open(who.actor, `operation:${id}`);
    const release = connections.admitBoth(who.request.ip, who.actor);
    const { socket, head } = upgrade();
    socket.once('close', release);
    this.#server.handleUpgrade(message, socket, head, (client) => this.#serve(client, id, who, operations));
  }

  /** Events go to other clients. */
  event(): void {}

  progress(state: OperationProgressMessage, key: string): void {
    for (const client of this.#byView.get(key) ?? []) this.#send(client, state);
  }

  async moveOn(): Promise<void> {
    const clients = [...this.#server.clients];
    const gone = clients.map((client) => new Promise<void>((resolve) => void client.once('close', () => resolve())));
    const { message } = new CarcosaError('shutting_down');
    for (const client of clients) client.close(CLOSE.restart, message);
    const cut = setTimeout(() => {
      for (const client of clients) client.terminate();
    }, FAREWELL_MS);
    await Promise.all(gone);
    clearTimeout(cut);
  }

  close(): void {
    clearInterval(this.#heartbeat);
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }

  #serve(
    client: WebSocket,
    id: string,
    who: { actor: Actor; request: CredentialRequest },
    operations: OperationProgress,
  ): void {
    const { connections } = this.#parts;
    const end = (error: CarcosaError): void => client.close(CLOSE.policy, error.message.slice(0, 120));
    const connection = new LiveConnection(this.#parts, who, {
      ...{ deliver: () => {}, drained: async () => {} },
      join: ({ key }) => void this.#byView.set(key, (this.#byView.get(key) ?? new Set()).add(client)),
      leave: ({ key }) => {
        const there = this.#byView.get(key);
        if (there?.delete(client) && there.size === 0) this.#byView.delete(key);
      },
      expelled: (_room, error) => end(error),
      end,
    });
    connections.add(connection);
    this.#alive.add(client);
    client.on('pong', () => this.#alive.add(client));
    client.on('error', () => {});
    client.once('close', () => {
      connections.delete(connection);
      connection.close();
    });
    // After it has joined: what happens from here on is told, and before that stands in the database.
    connection.watch(`operation:${id}`).then(
      () => operations.find(id).then((found) => found && this.#send(client, stateOf(found))),
      (error: unknown) => end(error instanceof CarcosaError ? error : new CarcosaError('internal_error')),
    );
  }

  #send(client: WebSocket, state: OperationProgressMessage): void {
    if (client.readyState !== client.OPEN) return;
    if (client.bufferedAmount > MAX_WAITING) {
      client.terminate();
      return;
    }
    client.send(JSON.stringify(state));
    if (isEnded(state.status)) client.close(CLOSE.normal);
  }

  #beat(): void {
    for (const client of this.#server.clients) {
      if (!this.#alive.has(client)) client.terminate();
      this.#alive.delete(client);
      client.ping();
    }
  }
}
