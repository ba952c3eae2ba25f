import type { Queryable } from '@carcosa/database';
import {
  type Access,
  type AddressBlocks,
  EventFeed,
  EventStreams,
  LiveHub,
  type OperationProgress,
  type ProjectFactsCache,
  type RateLimiter,
  Rooms,
  type TenantFactsCache,
} from '@carcosa/domain';
import type { Clock, IdGenerator, Logger } from '@carcosa/kernel';
import type { ServerConfig } from './config.ts';
import { BrowserSession } from './http/browser-session.ts';
import type { Authenticators } from './http/credentials.ts';
import type { PostgresNotifications } from './postgres-notifications.ts';
import { RealtimeEdge } from './realtime/realtime-edge.ts';

export interface RealtimeParts extends Omit<Authenticators, 'browser' | 'projectFacts'> {
  config: Pick<ServerConfig, 'realtimeLimits'>;
  db: Queryable;
  access: Access;
  projectFacts: ProjectFactsCache;
  tenantFacts: TenantFactsCache;
  operations: OperationProgress;
  notifications: PostgresNotifications;
  limiter: RateLimiter;
  blocks: AddressBlocks;
  clock: Clock;
  ids: IdGenerator;
  logger: Logger;
  publicUrl: string;
}

/** The part of the composition that tells clients what happens as it happens. */
export function composeRealtime(parts: RealtimeParts) {
  const { access, projectFacts, tenantFacts, publicUrl, config } = parts;
  const feed = new EventFeed(parts);
  const streams = new EventStreams({ ...parts, feed });
  const rooms = new Rooms({ ...parts, access, projects: projectFacts, tenants: tenantFacts });
  const hub = new LiveHub({ ...parts, feed });
  const { apiKeys, sessions, tenantTokens } = parts;
  const browser = new BrowserSession(publicUrl);
  const authenticators: Authenticators = {
    ...{ apiKeys, projectFacts, browser },
    ...(sessions && { sessions }),
    ...(tenantTokens && { tenantTokens }),
  };
  const limits = config.realtimeLimits;
  const realtime = new RealtimeEdge({ ...parts, feed, streams, rooms, hub, authenticators, limits });
  const closeRealtime = async (): Promise<void> => {
    await realtime.close();
    hub.close();
    await feed.close();
  };
  return { realtime, closeRealtime };
}
