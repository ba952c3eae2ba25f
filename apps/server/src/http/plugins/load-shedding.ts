import type { ServerResponse } from 'node:http';
import type { FastifyContextConfig, onRequestHookHandler } from 'fastify';
import type { LoadGuard, Work } from '../../load/load-guard.ts';
import type { App } from '../types.ts';

const COUNTED = Symbol('counted');
type CountedResponse = ServerResponse & { [COUNTED]?: true };

/**
 * Counts requests of routes that say which `work` they are, and sends those away that would begin more than the process can hold. To be
 * added after authentication, before whose hooks these go: who is sent away costs nothing.
 */
export function addLoadShedding(app: App, guard: LoadGuard): void {
  app.addHook('onRoute', (route) => {
    const { work, goesOn } = route.config ?? {};
    if (work === undefined) return;
    const hooks = route.onRequest === undefined ? [] : [route.onRequest].flat();
    route.onRequest = [counted(guard, work, goesOn), ...hooks];
  });
}

function counted(guard: LoadGuard, work: Work, goesOn: FastifyContextConfig['goesOn']): onRequestHookHandler {
  return (request, reply, done) => {
    const response: CountedResponse = reply.raw;
    // The HEAD that the framework makes of a GET has the hooks of both.
    if (response[COUNTED]) return done();
    try {
      if (typeof goesOn === 'function' ? goesOn(request) : goesOn) guard.goOn(work);
      else guard.begin(work);
    } catch (error) {
      return done(error as Error);
    }
    response[COUNTED] = true;
    response.once('close', () => guard.end(work));
    done();
  };
}
