import type { App } from './types.ts';

/** How long a sender whose body we do not want may go on, so that it gets to read why. */
const LINGER_MS = 30_000;

/** Registers routes that read their body as a stream: nothing is parsed, limited or held before they ask for it. */
export function uploadScope(app: App, register: (scope: App) => void): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.addHook('onResponse', (request, _reply, done) => {
      if (!request.raw.complete) {
        // Closing at once would reset the connection under an answer that the client has not read yet.
        const timer = setTimeout(() => {
          if (!request.raw.complete) request.raw.destroy();
        }, LINGER_MS);
        timer.unref();
        request.raw.once('close', () => clearTimeout(timer));
      }
      done();
    });
    register(scope as unknown as App);
  });
}

/** The declared length of a body in bytes; null for a chunked one. */
export function contentLength(headers: { 'content-length'?: string | undefined }): number | null {
  const value = headers['content-length'];
  return value === undefined ? null : Number(value);
}
