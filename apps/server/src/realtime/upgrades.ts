import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** A connection that a client wants to use for something else than HTTP. */
export interface Upgrade {
  socket: Duplex;
  /** What came behind the request. */
  head: Buffer;
}

/** Offered beside `carcosa.bearer.<token>` by browsers, which can give a WebSocket no header. */
export const SUBPROTOCOL = 'carcosa';
const BEARER = 'carcosa.bearer.';

const upgrades = new WeakMap<IncomingMessage, Upgrade & { response: ServerResponse }>();

/**
 * Lets the routes answer a request that asks for an upgrade as any other one; a route that grants it calls {@link takeUpgrade}. A token that came
 * as the name of a protocol is put where all others are.
 */
export function routeUpgrade(
  request: IncomingMessage,
  { socket, head }: Upgrade,
  route: (request: IncomingMessage, response: ServerResponse) => void,
): void {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  // Without a listener a client that goes away would end the process.
  socket.on('error', () => {});
  response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0]);
  response.once('finish', () => socket.end());
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  const bearer = offered.find((name) => name.startsWith(BEARER));
  if (bearer !== undefined && request.headers.authorization === undefined)
    request.headers.authorization = `Bearer ${bearer.slice(BEARER.length)}`;
  upgrades.set(request, { socket, head, response });
  route(request, response);
}

/** The connection behind a request that {@link asksForUpgrade}, once: from here on it is no connection of HTTP any more. */
export function takeUpgrade(request: IncomingMessage): Upgrade {
  const upgrade = upgrades.get(request);
  if (!upgrade) throw new Error('the request asked for no upgrade');
  upgrades.delete(request);
  upgrade.response.detachSocket(upgrade.socket as Parameters<ServerResponse['detachSocket']>[0]);
  return upgrade;
}

export const asksForUpgrade = (request: IncomingMessage): boolean => upgrades.has(request);
