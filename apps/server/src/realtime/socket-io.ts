import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Event, type OperationProgressMessage, SubscribeMessage, UnsubscribeMessage } from '@carcosa/contracts';
import {
  type Actor,
  type FedEvent,
  type LiveOutlet,
  type OperationProgress,
  type OperationState,
  stateOf,
  type View,
} from '@carcosa/domain';
import { CarcosaError, type Clock, type IdGenerator } from '@carcosa/kernel';
import type { Server, Socket } from 'socket.io';
import { z } from 'zod';
import type { CredentialRequest } from '../http/credentials.ts';
import { errorBody, toCarcosaError } from '../http/error-handler.ts';
import { type Channel, LiveConnection, type LiveConnectionParts } from './live-connection.ts';
import type { LiveConnections } from './live-connections.ts';
import { isSlow, terminate, untilDrained, writeTogether } from './slow-sockets.ts';
import type { Upgrade } from './upgrades.ts';

/** Largest message that a client may send, in bytes: more than the names of a hundred rooms and a cursor need. */
const MAX_MESSAGE = 16 * 1024;
/** Milliseconds from the connection until a client has said who it is. */
const HANDSHAKE_MS = 10_000;
/** Messages that a client may send in so many milliseconds. */
const MESSAGES = { most: 200, everyMs: 10_000 };
/** Milliseconds between two looks for clients that do not read: too much may wait at one of them, when much happens at once, but not at two. */
const SLOW_EVERY_MS = 1_000;
/** Milliseconds that clients have for what was sent last, when the server stops. */
const FAREWELL_MS = 1_000;

/** What the server says, by name. */
interface Told {
  event(event: Event, cursor: string): void;
  progress(state: OperationProgressMessage): void;
  /** The client may no longer be in a room. */
  left(what: { room: string; error: string; message: string }): void;
  /** The connection ends; without an error the client should connect again. */
  closing(why: { error: string; message: string }): void;
}
type Ack = (answer: unknown) => void;
interface Said {
  subscribe(message: unknown, ack?: Ack): void;
  unsubscribe(message: unknown, ack?: Ack): void;
}
interface SocketData {
  connection: LiveConnection;
}
type Io = Server<Said, Told, Record<string, never>, SocketData>;
type IoSocket = Socket<Said, Told, Record<string, never>, SocketData>;

export interface SocketIoParts extends LiveConnectionParts {
  connections: LiveConnections;
  operations: OperationProgress;
  clock: Clock;
  ids: IdGenerator;
  /** Who opens a socket, counted as one request. @throws CarcosaError `unauthenticated`, `rate_limited`, … */
  identify(request: CredentialRequest): Promise<Actor>;
}

const Auth = z.object({ token: z.string().max(4_096).optional() });

/** Socket.IO: who connects, which rooms they join, and what is sent to them. */
export class SocketIoEdge implements LiveOutlet {
  readonly #parts: SocketIoParts;
  readonly #addresses = new WeakMap<IncomingMessage, string>();
  /** Of requests that no connection came of yet. */
  readonly #releases = new WeakMap<IncomingMessage, () => void>();
  /** Those for whom too much waited at the last look. */
  #behind = new Set<IoSocket['conn']>();
  #io: Io | undefined;
  #starting: Promise<Io> | undefined;
  #sweep: NodeJS.Timeout | undefined;

  constructor(parts: SocketIoParts) {
    this.#parts = parts;
    parts.hub.addOutlet(this);
  }

  /**
   * Answers a request of the polling transport.
   * @param take gives what is written to; called when nothing can be refused any more
   * @throws CarcosaError `rate_limited`, `overloaded`
   */
  async request(request: IncomingMessage, take: () => ServerResponse, address: string): Promise<void> {
    const io = await this.#started();
    const release = isNew(request) ? this.#parts.connections.admit(address) : undefined;
    const response = take();
    if (release) this.#count(request, response, { address, release });
    io.engine.handleRequest(request as Parameters<typeof io.engine.handleRequest>[0], response);
  }

  /** Takes a WebSocket, new or of a connection that began by polling; as {@link request}. */
  async upgrade(request: IncomingMessage, take: () => Upgrade, address: string): Promise<void> {
    const io = await this.#started();
    const release = isNew(request) ? this.#parts.connections.admit(address) : undefined;
    const { socket, head } = take();
    if (release) this.#count(request, socket, { address, release });
    io.engine.handleUpgrade(request as Parameters<typeof io.engine.handleUpgrade>[0], socket, head);
  }

  event({ event, cursor }: FedEvent, keys: readonly string[]): void {
    this.#io?.local.to([...keys]).emit('event', event, cursor);
  }

  progress(state: OperationState, key: string): void {
    this.#io?.local.to(key).emit('progress', state);
  }

  /** Tells all clients to connect to another node, and ends their connections. */
  async moveOn(): Promise<void> {
    const io = this.#io;
    if (!io) return;
    const { code: error, message } = new CarcosaError('shutting_down');
    io.local.emit('closing', { error, message });
    const conns = [...io.sockets.sockets.values()].map(({ conn }) => conn);
    const gone = conns.map((conn) => new Promise<void>((resolve) => void conn.once('close', () => resolve())));
    // Not `disconnect`: the client would take that for a word that it shall stay away.
    for (const conn of conns) conn.close();
    const cut = setTimeout(() => {
      for (const conn of conns) terminate(conn);
    }, FAREWELL_MS);
    await Promise.all(gone);
    clearTimeout(cut);
    await this.close();
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    const io = this.#io;
    this.#io = undefined;
    await io?.close();
  }

  /** Loaded for the first client: a start does without. */
  #started(): Promise<Io> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start(): Promise<Io> {
    const { Server } = await import('socket.io');
    // It is attached to a server that never listens: requests come to it from ours.
    const io: Io = new Server(createServer(), {
      serveClient: false,
      maxHttpBufferSize: MAX_MESSAGE,
      connectTimeout: HANDSHAKE_MS,
      // As for the whole API: any page may, with a token that it holds, and none with a cookie of ours.
      cors: { origin: '*' },
    });
    io.use((socket, next) => {
      this.#admit(socket).then(
        () => next(),
        (error: unknown) => next(refusal(this.#body(error))),
      );
    });
    io.on('connection', (socket) => this.#serve(socket));
    writeTogether(io.engine);
    io.engine.on('connection', (conn: IoSocket['conn']) => {
      const release = this.#takeRelease(conn.request);
      if (release) conn.once('close', release);
    });
    this.#sweep = setInterval(() => this.#cutSlow(io), SLOW_EVERY_MS).unref();
    this.#io = io;
    return io;
  }

  async #admit(socket: IoSocket): Promise<void> {
    const auth = Auth.safeParse(socket.handshake.auth);
    if (!auth.success) throw new CarcosaError('unauthenticated', { message: 'auth.token has to be a key or token.' });
    const { token } = auth.data;
    const { headers } = socket.request;
    const request: CredentialRequest = {
      ip: this.#addresses.get(socket.request) ?? '',
      // As for a request that changes something, a cookie serves only for a page of this server.
      method: 'POST',
      raw: { headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` } },
    };
    const actor = await this.#parts.identify(request);
    const release = this.#parts.connections.admitActor(actor);
    socket.conn.once('close', release);
    // Who left while it was looked up is not told of any more.
    if (socket.conn.readyState !== 'open') release();
    socket.data.connection = new LiveConnection(this.#parts, { actor, request }, this.#channelOf(socket));
  }

  #serve(socket: IoSocket): void {
    const { connections, operations } = this.#parts;
    const { connection } = socket.data;
    connections.add(connection);
    socket.on('disconnect', () => {
      connections.delete(connection);
      connection.close();
    });
    limitMessages(socket);
    socket.on('subscribe', (message, ack) =>
      this.#answer(ack, async () => {
        const { rooms, since } = SubscribeMessage.parse(message);
        const cursor = await connection.subscribe(rooms, since);
        for (const room of rooms) await tellProgress(socket, operations, room);
        return { rooms: connection.rooms, cursor };
      }),
    );
    socket.on('unsubscribe', (message, ack) =>
      this.#answer(ack, async () => {
        connection.unsubscribe(UnsubscribeMessage.parse(message).rooms);
        return { rooms: connection.rooms };
      }),
    );
  }

  #channelOf(socket: IoSocket): Channel {
    return {
      deliver: (event, cursor) => void socket.emit('event', event, cursor),
      drained: () => untilDrained(socket.conn),
      join: ({ key }: View) => void socket.join(key),
      leave: ({ key }: View) => void socket.leave(key),
      expelled: (room, error) => void socket.emit('left', { room, error: error.code, message: error.message }),
      end: (error) => {
        socket.emit('closing', { error: error.code, message: error.message });
        socket.disconnect(true);
      },
    };
  }

  /** Answers as HTTP would; who wants no answer gets none. */
  #answer(ack: unknown, work: () => Promise<object>): void {
    const say = typeof ack === 'function' ? (ack as Ack) : () => {};
    work().then(
      (data) => say({ data, success: true }),
      (error: unknown) => say(this.#body(error)),
    );
  }

  #body(error: unknown) {
    const { ids, clock } = this.#parts;
    return errorBody(toCarcosaError(error), ids.next('request'), clock);
  }

  /** Counts a connection from its first request until its end, or the end of the request where no connection came of it. */
  #count(
    request: IncomingMessage,
    carrier: Duplex | ServerResponse,
    { address, release }: { address: string; release: () => void },
  ): void {
    this.#addresses.set(request, address);
    this.#releases.set(request, release);
    carrier.once('close', () => this.#takeRelease(request)?.());
  }

  #takeRelease(request: IncomingMessage): (() => void) | undefined {
    const release = this.#releases.get(request);
    this.#releases.delete(request);
    return release;
  }

  #cutSlow(io: Io): void {
    const behind = [...io.sockets.sockets.values()].map(({ conn }) => conn).filter(isSlow);
    for (const conn of behind) if (this.#behind.has(conn)) terminate(conn);
    this.#behind = new Set(behind);
  }
}

/** Whether it begins a connection, rather than going on with one. */
const isNew = (request: IncomingMessage): boolean => !/[?&]sid=/.test(request.url ?? '');

/** Where an upload or job stands at this moment: progress tells only of what comes. */
async function tellProgress(socket: IoSocket, operations: OperationProgress, room: string): Promise<void> {
  const [kind, id = ''] = room.split(':');
  if (kind !== 'upload' && kind !== 'operation') return;
  const found = await operations.find(id);
  if (!found) return;
  socket.emit('progress', stateOf(found));
}

function limitMessages(socket: IoSocket): void {
  let left = MESSAGES.most;
  const refill = setInterval(() => {
    left = MESSAGES.most;
  }, MESSAGES.everyMs).unref();
  socket.conn.on('packet', () => {
    left -= 1;
    if (left < 0) terminate(socket.conn);
  });
  socket.conn.once('close', () => clearInterval(refill));
}

function refusal(body: object & { message: string }): Error {
  return Object.assign(new Error(body.message), { data: body });
}
