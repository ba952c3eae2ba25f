import { type Actor, type AddressBlocks, clientOf, type RateLimiter } from '@carcosa/domain';
import { CarcosaError, type Clock, isCarcosaError } from '@carcosa/kernel';
import { type Authenticators, type CredentialRequest, identify } from '../http/credentials.ts';
import { EventSources } from './event-source.ts';
import type { LiveConnectionParts } from './live-connection.ts';
import { type ConnectionLimits, LiveConnections, type LiveConnectionsParts } from './live-connections.ts';
import { OperationSockets } from './operation-sockets.ts';
import { SocketIoEdge, type SocketIoParts } from './socket-io.ts';

export interface RealtimeEdgeParts
  extends LiveConnectionParts,
    Omit<LiveConnectionsParts, 'limits'>,
    Omit<SocketIoParts, 'connections' | 'identify'> {
  limits: ConnectionLimits;
  authenticators: Authenticators;
  limiter: RateLimiter;
  blocks: AddressBlocks;
  clock: Clock;
}

/** All doors through which clients are told what happens. */
export class RealtimeEdge {
  readonly connections: LiveConnections;
  readonly sockets: SocketIoEdge;
  readonly operations: OperationSockets;
  readonly sources: EventSources;
  readonly #parts: RealtimeEdgeParts;

  constructor(parts: RealtimeEdgeParts) {
    this.#parts = parts;
    this.connections = new LiveConnections(parts);
    const { connections } = this;
    this.sockets = new SocketIoEdge({ ...parts, connections, identify: (request) => this.#identify(request) });
    this.operations = new OperationSockets({ ...parts, connections });
    this.sources = new EventSources({ ...parts, connections });
  }

  /** Tells all clients to connect again, which other nodes, or the next process, will answer. */
  async moveOn(): Promise<void> {
    this.sources.moveOn();
    await Promise.all([this.sockets.moveOn(), this.operations.moveOn()]);
  }

  async close(): Promise<void> {
    this.connections.close();
    this.sources.close();
    this.operations.close();
    await this.sockets.close();
  }

  /** As for a request to the API: who is refused is counted by address, and who is known by who it is. */
  async #identify(request: CredentialRequest): Promise<Actor> {
    const { authenticators, limiter, blocks, clock } = this.#parts;
    const client = clientOf(request.ip);
    const blockedUntil = blocks.hasAny ? blocks.blockedUntil(client) : 0;
    if (blockedUntil > 0) throw new CarcosaError('rate_limited', { retryAfter: (blockedUntil - clock.now()) / 1000 });
    try {
      const actor = await identify(authenticators, request);
      const limited = await limiter.takeActor(actor, 'read');
      if (limited?.allowed === false) throw new CarcosaError('rate_limited', { retryAfter: limited.waitMs / 1000 });
      return actor;
    } catch (error) {
      if (!isCarcosaError(error, 'unauthenticated')) throw error;
      blocks.refused(client);
      const limited = await limiter.takeAddress(client, 'unauthenticated');
      throw limited?.allowed === false ? new CarcosaError('rate_limited') : error;
    }
  }
}
