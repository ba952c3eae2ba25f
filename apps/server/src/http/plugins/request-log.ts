import type { Logger } from '@carcosa/kernel';
import type { App } from '../types.ts';

/**
 * One line for each answer, with the route's pattern instead of the address: addresses carry signatures and names of files.
 * @param logger null where nobody would see the lines: then requests do not pay for them
 */
export function addRequestLog(app: App, logger: Logger | null): void {
  if (!logger) return;
  app.addHook('onResponse', (request, reply, done) => {
    logger.info(
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url ?? '(none)',
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        ip: request.ip,
      },
      'request',
    );
    done();
  });
}
