import { createRouteHandler, type HandlerOptions, type RouteHandler } from '../handler.ts';
import type { UploadRouter } from '../types.ts';

interface Execution {
  waitUntil(work: Promise<unknown>): void;
}

/**
 * For Cloudflare Workers, where the configuration comes with each request: `fetch: createFetch((env) => ({ router, apiKey: env.… }))`. The
 * context of middlewares is `{ env, execution }`. Bun and Deno take the handler as it is: `Bun.serve({ fetch: createRouteHandler({ router }) })`.
 */
export function createFetch<Environment extends object, Router extends UploadRouter>(
  optionsOf: (env: Environment) => HandlerOptions<Router>,
) {
  const handlers = new WeakMap<Environment, RouteHandler>();
  return (request: Request, env: Environment, execution: Execution): Promise<Response> => {
    let handle = handlers.get(env);
    if (!handle) {
      handle = createRouteHandler(optionsOf(env));
      handlers.set(env, handle);
    }
    return handle(request, { env, execution });
  };
}
