import { createRouteHandler, type HandlerOptions } from '../handler.ts';
import type { UploadRouter } from '../types.ts';
import { type NodeRequest, toRequest } from './node.ts';

interface Reply {
  code(status: number): Reply;
  header(name: string, value: string): Reply;
  send(body: string): unknown;
}
interface Incoming {
  raw: NodeRequest;
  body: unknown;
  originalUrl?: string;
}
interface Instance {
  route(options: {
    method: string[];
    url: string;
    handler: (request: never, reply: never) => Promise<unknown>;
  }): unknown;
}

/**
 * For Fastify: `await app.register(uploadRoutes, { router, path: '/api/upload' })`. The context of middlewares is `{ request, reply }`,
 * those of Fastify.
 */
export async function uploadRoutes<Router extends UploadRouter>(
  app: Instance,
  { path = '/api/upload', ...options }: HandlerOptions<Router> & { path?: string },
): Promise<void> {
  const handle = createRouteHandler(options);
  const handler = async (request: Incoming, reply: Reply): Promise<unknown> => {
    // Fastify has read the body by now.
    const { raw, body, originalUrl } = request;
    const incoming = {
      method: raw.method,
      headers: raw.headers,
      socket: raw.socket,
      body: body ?? '',
      url: originalUrl ?? raw.url,
    };
    const answer = await handle(
      await toRequest({ ...incoming, [Symbol.asyncIterator]: () => raw[Symbol.asyncIterator]() }),
      { request, reply },
    );
    answer.headers.forEach((value, name) => {
      reply.header(name, value);
    });
    return reply.code(answer.status).send(await answer.text());
  };
  app.route({
    method: ['GET', 'POST'],
    url: path,
    handler: handler as (request: never, reply: never) => Promise<unknown>,
  });
}
