import type { RouteError, RouteSummary } from '@carcosa/contracts';
import { type CallbackMessage, runCallback } from './callbacks.ts';
import { type Connection, connect, type RouterConfig } from './environment.ts';
import { UploadError } from './errors.ts';
import { prepareUpload } from './prepare.ts';
import { listen, type RegisterInput, register } from './register.ts';
import type { ErrorOptions, RouteDefinition, UploadRouter } from './types.ts';

export interface HandlerOptions<Router extends UploadRouter> extends RouterConfig {
  router: Router;
  /** Keeps work going after the answer, where the platform would stop it: `ctx.waitUntil` of Workers, `after` of Next.js. */
  waitUntil?: (work: Promise<unknown>) => void;
}

/** Answers a request of the framework. */
export type RouteHandler = (request: Request, context?: unknown) => Promise<Response>;

/**
 * The handler of a router, for anything that speaks Request and Response: GET says what the routes take, POST gives addresses to
 * clients and takes what Carcosa tells of uploads. Mount it at one address, for both methods.
 */
export function createRouteHandler<Router extends UploadRouter>(options: HandlerOptions<Router>): RouteHandler {
  const { router } = options;
  const connection = connect(options);
  return async (request, context) => {
    const url = new URL(request.url);
    const slug = url.searchParams.get('slug') ?? '';
    const caller = { request, context };
    let route: RouteDefinition | undefined;
    try {
      if (request.method === 'GET') return json(summaries(router));
      if (request.method !== 'POST') throw refused('method_not_allowed', 405, 'This address answers GET and POST.');
      route = Object.hasOwn(router, slug) ? (router[slug]?.route as RouteDefinition) : undefined;
      if (!route) throw refused('not_found', 404, `There is no route "${slug}".`);
      const message = await messageOf(request);
      const open = await connection();
      if (message) {
        await runCallback(open, route, message, caller);
        return json(null);
      }
      if (url.searchParams.get('actionType') !== 'upload') {
        throw refused('invalid_request', 400, 'Say what you want: ?actionType=upload&slug=….');
      }
      return json(await handOut(open, options, { slug, route, ...caller }));
    } catch (error) {
      return await answerError(error, { route, ...caller }, options);
    }
  };
}

/** Addresses for files, once it is sure that this app will hear what becomes of them. */
async function handOut<Router extends UploadRouter>(
  connection: Connection,
  { waitUntil }: HandlerOptions<Router>,
  upload: { slug: string; route: RouteDefinition; request: Request; context: unknown },
) {
  const { slug, route, request, context } = upload;
  const { files, metadata } = await prepareUpload(connection, upload);
  const { origin, pathname } = new URL(request.url);
  const input: RegisterInput = {
    ...{ fileKeys: files.map(({ key }) => key), metadata, slug },
    callbackUrl: connection.callbackUrl ?? origin + pathname,
    awaitServerData: route.options.awaitServerData ?? true,
  };
  if (!connection.isDev) {
    await register(connection, input);
    return files;
  }
  await new Promise<void>((resolve, reject) => {
    const tell = (message: CallbackMessage) => runCallback(connection, route, message, { request, context });
    const listening = listen(connection, input, { begun: resolve, tell }).catch((error: unknown) => {
      reject(error);
      connection.onError(error);
    });
    waitUntil?.(listening);
  });
  return files;
}

/** What Carcosa tells; null for a request of a client. */
async function messageOf(request: Request): Promise<CallbackMessage | null> {
  const hook = request.headers.get('uploadthing-hook');
  if (hook !== 'callback' && hook !== 'error') return null;
  return {
    ...{ hook, payload: await request.text() },
    signature: request.headers.get('x-uploadthing-signature'),
    callbackId: request.headers.get('x-carcosa-callback-id'),
  };
}

function summaries(router: UploadRouter): RouteSummary[] {
  return Object.entries(router).map(([slug, { route }]) => ({ slug, config: Object.fromEntries(route.config) }));
}

async function answerError(
  error: unknown,
  { route, request, context }: { route: RouteDefinition | undefined; request: Request; context: unknown },
  { onError = (problem: unknown) => console.error('[carcosa]', problem) }: RouterConfig,
): Promise<Response> {
  if (!(error instanceof UploadError)) {
    onError(error);
    return json({ error: 'internal_error', message: 'Something went wrong in the back end of this app.' }, 500);
  }
  const { code, message, details, status } = error;
  const isOfClient =
    code !== 'signature_invalid' && code !== 'not_found' && request.headers.get('uploadthing-hook') === null;
  if (route?.onUploadError && isOfClient) {
    const options = { request, context, error, fileKey: null } as unknown as ErrorOptions<never>;
    await Promise.resolve(route.onUploadError(options)).catch(onError);
  }
  const body: RouteError = { error: code, message, ...(details === undefined ? {} : { details }) };
  return json(body, status);
}

const json = (body: unknown, status = 200): Response =>
  new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
  });

const refused = (code: string, status: number, message: string): UploadError =>
  new UploadError(message, { code, status });
