import type { Queryable } from '@carcosa/database';
import {
  AddressBlocks,
  FallbackLimitStore,
  type LimitStore,
  MemoryLimitStore,
  type Notifications,
  type ProjectFactsCache,
  RATE_LIMITS_CHANNEL,
  RateLimiter,
  RateLimitService,
} from '@carcosa/domain';
import type { Clock, Logger, Random } from '@carcosa/kernel';
import type { ServerConfig } from './config.ts';
import { RedisLimitStore } from './redis-limit-store.ts';

export interface LimitParts {
  config: Pick<ServerConfig, 'redisUrl' | 'trustedProxies'>;
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  projects: ProjectFactsCache;
  notifications: Notifications;
  clock: Clock;
  random: Random;
  logger: Logger;
  onChange: (id: string) => void;
}

/** The part of the composition that limits how often somebody may ask. */
export function composeLimits(parts: LimitParts) {
  const { config, clock, random, logger, notifications } = parts;
  const memory = new MemoryLimitStore({ clock, random });
  const shared = config.redisUrl === undefined ? undefined : new RedisLimitStore({ url: config.redisUrl, logger });
  const store: LimitStore = shared ? new FallbackLimitStore({ shared, memory, logger }) : memory;
  const limiter = new RateLimiter({ store, projects: parts.projects });
  const blocks = new AddressBlocks({
    clock,
    trusted: config.trustedProxies,
    onBlock: (block) => {
      logger.warn({ ...block }, 'an address is blocked because it was refused too often');
      // Each node finds out by itself where this is lost.
      notifications.publish(RATE_LIMITS_CHANNEL, { block }).catch(() => {});
    },
  });
  const rateLimits = new RateLimitService({ ...parts, limiter, blocks });
  const checkRedis = shared && ((): Promise<void> => shared.check());
  return { limiter, blocks, rateLimits, checkRedis, closeLimits: () => shared?.close() };
}
