import type { HandlerOptions } from '../handler.ts';
import type { UploadRouter } from '../types.ts';
import { type EventHandler, eventHandler } from './web.ts';

interface Event {
  request: Request;
}

/** For `+server.ts` of SvelteKit and endpoints of Astro: `export const { GET, POST } = createRouteHandler({ router })`. */
export function createRouteHandler<Router extends UploadRouter>(
  options: HandlerOptions<Router>,
): { GET: EventHandler<Event>; POST: EventHandler<Event> } {
  const handle = eventHandler<Event, Router>(options);
  return { GET: handle, POST: handle };
}
