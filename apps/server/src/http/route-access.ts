import type { LimitTier, Permission } from '@carcosa/contracts';
import type { FastifyContextConfig, RouteOptions } from 'fastify';
import { tierOf } from './plugins/rate-limit.ts';

/** Who may call a route, as it declares it: the permissions of which one is enough, or the kind of caller. */
export type RouteAccess = readonly Permission[] | 'public' | 'login' | 'server-admin';

export function accessOf({ permission, login, serverAdmin, public: isPublic }: FastifyContextConfig): RouteAccess {
  if (isPublic) return 'public';
  if (permission) return [permission].flat();
  if (serverAdmin) return 'server-admin';
  if (login) return 'login';
  throw new Error('a route declares neither a permission, login, serverAdmin nor public');
}

/** The rate limit that a route counts for; null for none. */
export function limitOf(route: Pick<RouteOptions, 'config' | 'method'>): LimitTier | null {
  const tier = tierOf(route);
  return tier === false ? null : tier;
}
