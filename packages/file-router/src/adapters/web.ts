import { createRouteHandler, type HandlerOptions } from '../handler.ts';
import type { UploadRouter } from '../types.ts';

/** What frameworks that speak Request and Response have in common: a function for each method, whose first argument leads to the request. */
export type EventHandler<Event> = (event: Event) => Promise<Response>;

/** A handler for events that carry their request; the event itself is the context of middlewares. */
export function eventHandler<Event extends { request: Request }, Router extends UploadRouter>(
  options: HandlerOptions<Router>,
): EventHandler<Event> {
  const handle = createRouteHandler(options);
  return (event) => handle(event.request, event);
}
