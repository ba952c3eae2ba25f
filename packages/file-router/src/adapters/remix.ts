import type { HandlerOptions } from '../handler.ts';
import type { UploadRouter } from '../types.ts';
import { type EventHandler, eventHandler } from './web.ts';

interface Arguments {
  request: Request;
}

/** For Remix and React Router: `export const { loader, action } = createRouteHandler({ router })`. Middlewares get the arguments as context. */
export function createRouteHandler<Router extends UploadRouter>(
  options: HandlerOptions<Router>,
): { loader: EventHandler<Arguments>; action: EventHandler<Arguments> } {
  const handle = eventHandler<Arguments, Router>(options);
  return { loader: handle, action: handle };
}
