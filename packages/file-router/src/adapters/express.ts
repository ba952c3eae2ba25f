import { createRouteHandler as createHandler, type HandlerOptions } from '../handler.ts';
import type { UploadRouter } from '../types.ts';
import { type NodeRequest, type NodeResponse, sendResponse, toRequest } from './node.ts';

/** For Express and Connect: `app.use('/api/upload', createRouteHandler({ router }))`. The context of middlewares is `{ req, res }`. */
export function createRouteHandler<Router extends UploadRouter>(options: HandlerOptions<Router>) {
  const handle = createHandler(options);
  return (req: NodeRequest, res: NodeResponse, next?: (error: unknown) => void): void => {
    toRequest(req)
      .then((request) => handle(request, { req, res }))
      .then((response) => sendResponse(response, res))
      .catch((error: unknown) => next?.(error));
  };
}
