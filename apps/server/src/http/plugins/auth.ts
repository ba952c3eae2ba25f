import type { Permission } from '@carcosa/contracts';
import type { Actor, ApiKeyService, Origin } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import type { App } from '../types.ts';

/**
 * Makes each route that is not `public` ask for an API key with the permission that it declares. The services decide again, with
 * the project at hand: this only keeps strangers from reaching them.
 * @throws Error at boot for a route that says neither `permission` nor `public`
 */
export function addAuthentication(app: App, apiKeys: ApiKeyService): void {
  app.decorateRequest<unknown>('actor', null);
  app.addHook('onRoute', (route) => {
    const config = route.config ?? {};
    if (config.public) return;
    if (!config.permission)
      throw new Error(`the route ${route.method} ${route.url} declares neither a permission nor public`);
    const hooks = route.onRequest === undefined ? [] : [route.onRequest].flat();
    route.onRequest = [requireActor(apiKeys, config.permission), ...hooks];
  });
}

function requireActor(apiKeys: ApiKeyService, permission: Permission | readonly Permission[]): onRequestHookHandler {
  const sufficient: readonly Permission[] = ['admin', ...[permission].flat()];
  return (request, _reply, done) => {
    const token = tokenOf(request);
    if (token === undefined) return done(new CarcosaError('unauthenticated'));
    const admit = (actor: Actor): void => {
      if (actor.type === 'api-key' && !sufficient.some((each) => actor.permissions.has(each))) {
        done(new CarcosaError('forbidden', { details: { permission } }));
        return;
      }
      request.actor = { ...actor, origin: originOf(request) };
      done();
    };
    try {
      // A cached key is answered without a promise: this is on the way of every request.
      const found = apiKeys.authenticate(token);
      if (found instanceof Promise) found.then(admit, done);
      else admit(found);
    } catch (error) {
      done(error as Error);
    }
  };
}

function originOf(request: FastifyRequest): Origin {
  return { requestId: request.id, ipAddress: request.ip, userAgent: request.raw.headers['user-agent'] };
}

/** `Authorization: Bearer …` or `x-api-key: …`. */
function tokenOf(request: FastifyRequest): string | undefined {
  const { authorization } = request.raw.headers;
  if (authorization !== undefined) {
    return authorization.length > 7 && authorization.slice(0, 7).toLowerCase() === 'bearer '
      ? authorization.slice(7).trim()
      : undefined;
  }
  const key = request.raw.headers['x-api-key'];
  return typeof key === 'string' ? key.trim() : undefined;
}
