import type { LimitTier, Permission } from '@carcosa/contracts';
import {
  type Actor,
  type AddressBlocks,
  clientOf,
  type LimitDecision,
  type Limited,
  type RateLimiter,
  type UsageMeter,
} from '@carcosa/domain';
import { CarcosaError, type Clock } from '@carcosa/kernel';
import type { FastifyReply, FastifyRequest, onRequestHookHandler, RouteOptions } from 'fastify';
import type { App } from '../types.ts';

export interface RateLimitParts {
  limiter: RateLimiter;
  blocks: AddressBlocks;
  clock: Clock;
  /** Absent: calls are not counted. */
  usage?: Pick<UsageMeter, 'countCall'> | undefined;
}

/**
 * Gives every route that does not say `limit: false` its tier, which counts once it is known who asks; and turns blocked addresses
 * away before that. To be added before authentication, whose own hook then goes before these.
 */
export function addRateLimits(app: App, parts: RateLimitParts): void {
  const { blocks } = parts;
  app.decorateRequest('rateLimit', undefined);
  app.addHook('onRequest', (request, _reply, done) => {
    done(isExempt(request) ? undefined : blockedError(parts, request));
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { statusCode } = reply;
    if ((statusCode === 401 || statusCode === 429) && !isExempt(request)) blocks.refused(clientOf(request.ip));
    done();
  });
  app.addHook('onRoute', (route) => {
    const tier = tierOf(route);
    if (tier === false) return;
    const hooks = route.onRequest === undefined ? [] : [route.onRequest].flat();
    route.onRequest = [limitBy(parts, tier), ...hooks];
  });
}

/** Whoever watches a server must see it however often it asks. */
const isExempt = (request: FastifyRequest): boolean =>
  request.routeOptions.config?.limit === false && request.routeOptions.config.public === true;

function blockedError({ blocks, clock }: RateLimitParts, request: FastifyRequest): CarcosaError | undefined {
  if (!blocks.hasAny) return undefined;
  const until = blocks.blockedUntil(clientOf(request.ip));
  if (until === 0) return undefined;
  return new CarcosaError('rate_limited', {
    message: 'This address was refused too often and is blocked for a while; wait as long as Retry-After says.',
    details: { reason: 'blocked' },
    retryAfter: (until - clock.now()) / 1000,
  });
}

/** What a route counts as where it does not say. */
export function tierOf({ config, method }: Pick<RouteOptions, 'config' | 'method'>): LimitTier | false {
  if (config?.limit !== undefined) return config.limit;
  if (config?.public) return 'unauthenticated';
  const permissions: readonly Permission[] = [config?.permission ?? []].flat() as Permission[];
  if (permissions.length === 1 && permissions[0] === 'admin') return 'admin';
  const methods = [method].flat();
  if (methods.every((each) => each === 'GET' || each === 'HEAD')) return 'read';
  if (methods.includes('DELETE')) return 'delete';
  return permissions.includes('files:write') ? 'write' : 'standard';
}

function limitBy({ limiter, blocks, usage }: RateLimitParts, tier: LimitTier): onRequestHookHandler {
  return (request, reply, done) => {
    // The HEAD that the framework makes of a GET has the hooks of both.
    if (request.rateLimit !== undefined) return done();
    const { actor } = request;
    const settle = (limited: Limited): void => {
      noteLimit(request, reply, limited);
      const isRefused = limited?.allowed === false;
      if (actor && !isRefused) {
        if (blocks.hasAny) blocks.admitted(clientOf(request.ip));
        usage?.countCall(actor);
      }
      done(isRefused ? rateLimited(limited, tier) : undefined);
    };
    const found = actor ? limiter.takeActor(actor, tier) : limiter.takeAddress(clientOf(request.ip), tier);
    if (found instanceof Promise) found.then(settle, done);
    else settle(found);
  };
}

/**
 * Counts an attempt without a right credential by its address. Only who has no right one is refused by it: others at the same address
 * go on.
 * @returns what to answer instead of `unauthenticated`, or null
 */
export function countStranger(
  { limiter }: Pick<RateLimitParts, 'limiter'>,
  request: FastifyRequest,
  reply: FastifyReply,
): CarcosaError | null | Promise<CarcosaError | null> {
  // A route that is limited by address, as log-in is, has counted it.
  if (request.rateLimit !== undefined) return null;
  const settle = (limited: Limited): CarcosaError | null => {
    noteLimit(request, reply, limited);
    return limited?.allowed === false ? rateLimited(limited, 'unauthenticated') : null;
  };
  const found = limiter.takeAddress(clientOf(request.ip), 'unauthenticated');
  return found instanceof Promise ? found.then(settle) : settle(found);
}

/** Counts a download at the address of a file. @throws CarcosaError (or rejects with it) `rate_limited` */
export function countDownload(request: FastifyRequest, reply: FastifyReply, limited: Limited): void {
  noteLimit(request, reply, limited);
  if (limited?.allowed === false) throw rateLimited(limited, 'public-download');
}

/** Counts an upload by a signed address, for the key that signed it. @throws CarcosaError (or rejects with it) `rate_limited` */
export async function countUpload(
  { limiter }: Pick<RateLimitParts, 'limiter'>,
  { request, reply, actor }: { request: FastifyRequest; reply: FastifyReply; actor: Actor },
): Promise<void> {
  const limited = await limiter.takeActor(actor, 'write');
  noteLimit(request, reply, limited);
  if (limited?.allowed === false) throw rateLimited(limited, 'write');
}

/** Counts a picture that is asked for by its address. @throws CarcosaError (or rejects with it) `rate_limited` */
export function countTransform(
  { limiter }: Pick<RateLimitParts, 'limiter'>,
  request: FastifyRequest,
  reply: FastifyReply,
): void | Promise<void> {
  const actor = request.actor as Actor | null;
  const found = actor ? limiter.takeActor(actor, 'transform') : limiter.takeAddress(clientOf(request.ip), 'transform');
  const settle = (limited: Limited): void => {
    noteLimit(request, reply, limited);
    if (limited?.allowed === false) throw rateLimited(limited, 'transform');
  };
  return found instanceof Promise ? found.then(settle) : settle(found);
}

/** The headers as names and values in turn, for answers that are written all at once. */
export function rateLimitHeaders({ limit, used, resetAt }: LimitDecision): string[] {
  return [
    'X-RateLimit-Limit',
    String(limit),
    'X-RateLimit-Remaining',
    String(Math.max(0, limit - used)),
    'X-RateLimit-Reset',
    String(Math.ceil(resetAt / 1000)),
  ];
}

function noteLimit(request: FastifyRequest, reply: FastifyReply, limited: Limited): void {
  request.rateLimit = limited;
  if (limited === null) return;
  reply.header('X-RateLimit-Limit', limited.limit);
  reply.header('X-RateLimit-Remaining', Math.max(0, limited.limit - limited.used));
  reply.header('X-RateLimit-Reset', Math.ceil(limited.resetAt / 1000));
}

function rateLimited({ limit, waitMs }: LimitDecision, tier: LimitTier): CarcosaError {
  return new CarcosaError('rate_limited', { details: { tier, limit }, retryAfter: waitMs / 1000 });
}
