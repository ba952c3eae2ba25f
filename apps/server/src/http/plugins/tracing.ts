import type { Tracing } from '@carcosa/kernel';
import type { App } from '../types.ts';

/** Asked every few seconds by machines. */
const UNTRACED: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

/**
 * Makes a span of each request, part of the trace that its client names by `traceparent`; what the request does is part of it. Only the
 * pattern of the address is told, never the address.
 */
export function addTracing(app: App, tracing: Tracing): void {
  app.addHook('onRequest', (request, reply, done) => {
    const route = request.routeOptions.url ?? '(none)';
    if (UNTRACED.has(route)) return done();
    const { method, headers } = request.raw;
    const { traceparent } = headers;
    const span = tracing.open(`${method} ${route}`, {
      kind: 'server',
      parent: typeof traceparent === 'string' ? traceparent : undefined,
      attributes: { 'http.request.method': method, 'http.route': route, 'carcosa.request_id': request.id },
    });
    const response = reply.raw;
    response.once('close', () => {
      span.set({ 'http.response.status_code': response.statusCode });
      if (response.statusCode >= 500 || !response.writableFinished) span.fail();
      span.end();
    });
    span.run(done);
  });
}
