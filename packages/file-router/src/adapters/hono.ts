import { createRouteHandler as createHandler, type HandlerOptions } from '../handler.ts';
import type { UploadRouter } from '../types.ts';

/** For Hono: `app.all('/api/upload', createRouteHandler({ router }))`. The context of middlewares is Hono's own. */
export function createRouteHandler<Router extends UploadRouter>(options: HandlerOptions<Router>) {
  const handle = createHandler(options);
  return (context: { req: { raw: Request } }): Promise<Response> => handle(context.req.raw, context);
}
