import type { Permission } from '@carcosa/contracts';
import type { Actor, Origin } from '@carcosa/domain';
import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import type { FastifyContextConfig, FastifyRequest, onRequestHookHandler } from 'fastify';
import { type Authenticators, identify, tokenOf } from '../credentials.ts';
import type { App } from '../types.ts';

/** Whether the edge lets an actor pass to a route. @throws CarcosaError `forbidden` */
type Gate = (actor: Actor) => void;

/**
 * Makes each route that is not `public` ask for credentials that go with what it declares. The services decide again, with the
 * project at hand: this only keeps strangers from reaching them.
 * @throws Error at boot for a route that declares nothing
 */
export function addAuthentication(app: App, authenticators: Authenticators): void {
  app.decorateRequest<unknown>('actor', null);
  app.addHook('onRoute', (route) => {
    const config = route.config ?? {};
    if (config.public) {
      if (config.knowsActor) route.onRequest = [knowActor(authenticators), ...[route.onRequest ?? []].flat()];
      return;
    }
    const gate = gateOf(config);
    if (!gate)
      throw new Error(
        `the route ${route.method} ${route.url} declares neither a permission, login, serverAdmin nor public`,
      );
    const hooks = route.onRequest === undefined ? [] : [route.onRequest].flat();
    route.onRequest = [requireActor(authenticators, gate), ...hooks];
  });
}

function gateOf({ permission, login, serverAdmin }: FastifyContextConfig): Gate | undefined {
  if (permission) return permissionGate(permission);
  if (serverAdmin) return assertServerAdmin;
  return login ? assertPerson : undefined;
}

function requireActor(authenticators: Authenticators, gate: Gate): onRequestHookHandler {
  return (request, _reply, done) => {
    const admit = (actor: Actor): void => {
      // First known, then judged: who is refused is recorded.
      request.actor = { ...actor, origin: originOf(request) };
      gate(actor);
    };
    try {
      // What is remembered is answered without a promise: this is on the way of every request.
      const found = identify(authenticators, request);
      if (found instanceof Promise) {
        found.then(admit).then(() => done(), done);
        return;
      }
      admit(found);
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  };
}

/**
 * On a route for everyone, notes who asks where that is said. A wrong key or token is refused; a cookie that cannot be used, which
 * browsers send without being told to, counts as none.
 */
function knowActor(authenticators: Authenticators): onRequestHookHandler {
  return (request, _reply, done) => {
    const admit = (actor: Actor): void => {
      request.actor = { ...actor, origin: originOf(request) };
      done();
    };
    const refuse = (error: unknown): void => {
      const isStranger = isCarcosaError(error, 'unauthenticated') || isCarcosaError(error, 'cross_site_request');
      done(isStranger && tokenOf(request) === undefined ? undefined : (error as Error));
    };
    const { authorization, cookie, 'x-api-key': key } = request.raw.headers;
    // Somebody without any credential is nobody: most who look at pictures are.
    if (authorization === undefined && cookie === undefined && key === undefined) return done();
    try {
      const found = identify(authenticators, request);
      if (found instanceof Promise) found.then(admit, refuse);
      else admit(found);
    } catch (error) {
      refuse(error);
    }
  };
}

/** Keys and tokens carry their permissions; what a person may do depends on the project, which only the service knows. */
function permissionGate(permission: Permission | readonly Permission[]): Gate {
  const sufficient: readonly Permission[] = ['admin', ...[permission].flat()];
  return (actor) => {
    if (actor.type === 'user' || actor.type === 'system') return;
    if (sufficient.some((each) => actor.permissions.has(each))) return;
    throw new CarcosaError('forbidden', { details: { permission } });
  };
}

function assertPerson(actor: Actor): void {
  if (actor.type === 'user') return;
  throw new CarcosaError('forbidden', {
    message: 'This is for people who are logged in; a key or token cannot do it.',
  });
}

function assertServerAdmin(actor: Actor): void {
  assertPerson(actor);
  if (actor.type === 'user' && actor.isServerAdmin) return;
  throw new CarcosaError('forbidden', { message: 'Only an administrator of this server may do that.' });
}

/** Where a request comes from, for the record. */
export function originOf(request: FastifyRequest): Origin {
  return { requestId: request.id, ipAddress: request.ip, userAgent: request.raw.headers['user-agent'] };
}
