import { createRouteHandler, type HandlerOptions } from '../handler.ts';
import type { UploadRouter } from '../types.ts';
import { type NodeRequest, toRequest } from './node.ts';

/** An event of H3, version 2 (with its request) or 1 (with Node's). */
export type H3Event =
  | { req: Request }
  | { web?: { request?: Request | undefined } | undefined; node: { req: NodeRequest } };

/** For H3, Nitro and Nuxt: `export default defineEventHandler(createEventHandler({ router }))`. The context of middlewares is the event. */
export function createEventHandler<Router extends UploadRouter>(options: HandlerOptions<Router>) {
  const handle = createRouteHandler(options);
  return async (event: H3Event): Promise<Response> => {
    if ('req' in event) return await handle(event.req, event);
    return await handle(event.web?.request ?? (await toRequest(event.node.req)), event);
  };
}
