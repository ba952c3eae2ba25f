import { createRouteHandler as createHandler, type HandlerOptions } from '../handler.ts';
import type { UploadRouter } from '../types.ts';

type Handler = (request: Request) => Promise<Response>;

/** For `app/api/upload/route.ts` of Next.js: `export const { GET, POST } = createRouteHandler({ router })`. */
export function createRouteHandler<Router extends UploadRouter>(
  options: HandlerOptions<Router>,
): { GET: Handler; POST: Handler } {
  const handle = createHandler(options);
  const answer: Handler = (request) => handle(request, { request });
  return { GET: answer, POST: answer };
}
