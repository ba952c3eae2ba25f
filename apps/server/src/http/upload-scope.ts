import type { IncomingMessage } from 'node:http';
import type { App } from './types.ts';

/** How long a sender whose body we do not want may go on, so that it gets to read why. */
const LINGER_MS = 30_000;

/** Registers routes that read their body as a stream: nothing is parsed, limited or held before they ask for it. */
export function uploadScope(app: App, register: (scope: App) => void): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.addHook('onResponse', (request, _reply, done) => {
      dropBody(request.raw);
      done();
    });
    register(scope as unknown as App);
  });
}

/**
 * Reads on past what nobody wants. A body that was paused when it was refused would hold its connection: the next request on it would
 * never be read, and be cut off as idle. It may also be in memory to its end, so that it counts as complete, and hold it all the same.
 */
function dropBody(body: IncomingMessage): void {
  body.unpipe();
  body.removeAllListeners('data');
  body.resume();
  if (body.complete) return;
  // Closing at once would reset the connection under an answer that the client has not read yet.
  const timer = setTimeout(() => {
    if (!body.complete) body.destroy();
  }, LINGER_MS);
  timer.unref();
  body.once('close', () => clearTimeout(timer));
}

/** The declared length of a body in bytes; null for a chunked one. */
export function contentLength(headers: { 'content-length'?: string | undefined }): number | null {
  const value = headers['content-length'];
  return value === undefined ? null : Number(value);
}
