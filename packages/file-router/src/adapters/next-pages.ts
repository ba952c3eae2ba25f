import { createRouteHandler as createHandler, type HandlerOptions } from '../handler.ts';
import type { UploadRouter } from '../types.ts';
import { type NodeRequest, type NodeResponse, sendResponse, toRequest } from './node.ts';

/** For `pages/api/upload.ts` of Next.js: `export default createRouteHandler({ router })`. The context of middlewares is `{ req, res }`. */
export function createRouteHandler<Router extends UploadRouter>(options: HandlerOptions<Router>) {
  const handle = createHandler(options);
  return async (req: NodeRequest, res: NodeResponse): Promise<void> => {
    await sendResponse(await handle(await toRequest(req), { req, res }), res);
  };
}
