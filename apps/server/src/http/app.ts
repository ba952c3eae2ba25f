import { isRefusal } from '@carcosa/domain';
import fastify from 'fastify';
import { z } from 'zod';
import type { Carcosa } from '../compose.ts';
import { routeUpgrade } from '../realtime/upgrades.ts';
import { BrowserSession } from './browser-session.ts';
import type { Authenticators } from './credentials.ts';
import { errorHandler, toCarcosaError } from './error-handler.ts';
import { acceptJson } from './json-body.ts';
import type { Site } from './listener.ts';
import { addNotFound } from './not-found.ts';
import { addAuthentication } from './plugins/auth.ts';
import { addDocumentation } from './plugins/docs.ts';
import { addIdempotency } from './plugins/idempotency.ts';
import { addLoadShedding } from './plugins/load-shedding.ts';
import { addMeter } from './plugins/meter.ts';
import { addRateLimits, countStranger } from './plugins/rate-limit.ts';
import { addRequestContext, requestIdOf, setCommonHeaders } from './plugins/request-context.ts';
import { addRequestLog } from './plugins/request-log.ts';
import { addTracing } from './plugins/tracing.ts';
import { refusalOf } from './refusals.ts';
import { registerRoutes } from './routes/index.ts';
import type { App, Routes } from './types.ts';

/** Longest part of an address that a route names, in characters: a path of 1,024 bytes, each of them percent-encoded. */
const MAX_PARAM_LENGTH = 3 * 1024;

/** What every route stands on. */
export type EdgeParts = Pick<
  Carcosa,
  'clock' | 'logger' | 'ids' | 'requestLog' | 'apiKeys' | 'idempotency' | 'version' | 'publicUrl'
> & { config: Pick<Carcosa['config'], 'trustedProxies'> } & Pick<
    Authenticators,
    'sessions' | 'tenantTokens' | 'projectFacts'
  > &
  Partial<Pick<Carcosa, 'limiter' | 'blocks' | 'refusals' | 'httpMeter' | 'loadGuard' | 'tracing' | 'usage'>>;

/** Builds the web server with all of its routes, and those of `more`; it does not listen (see `Listener`). */
export async function buildApp(carcosa: Carcosa, more?: Routes): Promise<Site> {
  const app = createApp(carcosa);
  registerRoutes(app, carcosa);
  more?.(app, carcosa);
  await app.ready();
  const { httpMeter, realtime, hotPictures } = carcosa;
  return {
    request: (request, response) => {
      httpMeter.begin(response);
      if (!hotPictures.answer(request, response)) app.routing(request, response);
    },
    upgrade: (request, socket, head) => routeUpgrade(request, { socket, head }, app.routing),
    moveOn: () => realtime.moveOn(),
  };
}

/** The web server without routes: how requests are read, known and answered, whatever they are about. */
export function createApp(parts: EdgeParts): App {
  const { clock, logger, ids, config, refusals, httpMeter, usage } = parts;
  const limits =
    parts.limiter && parts.blocks ? { limiter: parts.limiter, blocks: parts.blocks, clock, usage } : undefined;
  const handleError = errorHandler({
    clock,
    logger,
    noteError: (request, code) => {
      httpMeter?.noteError(code);
      if (refusals && isRefusal(code)) refusals.note(refusalOf(request, code));
    },
    ...(limits && { countStranger: (request, reply) => countStranger(limits, request, reply) }),
  });
  const app: App = fastify({
    // A child logger for each request would cost more than the rest of a small request: see plugins/request-log.ts.
    logger: false,
    genReqId: requestIdOf(ids),
    trustProxy: config.trustedProxies.length > 0 ? config.trustedProxies : false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreTrailingSlash: true },
    // Addresses that no route could have: no hook runs for them.
    frameworkErrors: (error, request, reply) => {
      setCommonHeaders(request, reply);
      handleError(toCarcosaError(error), request, reply);
    },
  });
  app.setErrorHandler(handleError);
  useZod(app);
  acceptJson(app);
  addNotFound(app);
  addRequestContext(app);
  if (parts.tracing?.isOn) addTracing(app, parts.tracing);
  addRequestLog(app, parts.requestLog);
  // Before authentication, whose hook thereby runs before these. Absent in tests of single routes.
  if (limits) addRateLimits(app, limits);
  addAuthentication(app, { ...parts, browser: new BrowserSession(parts.publicUrl) });
  if (parts.loadGuard) addLoadShedding(app, parts.loadGuard);
  // Its hooks go before those of authentication, so that also requests that are refused have a route.
  if (httpMeter) addMeter(app, httpMeter);
  addIdempotency(app, parts.idempotency);
  addDocumentation(app, parts);
  return app;
}

/** Zod checks what comes in. What goes out is ours: its schema documents it, and the tests hold answers to it. */
function useZod(app: App): void {
  app.setValidatorCompiler(({ schema }) => {
    if (!(schema instanceof z.ZodType)) throw new Error('a route has a schema that is not of Zod');
    return (data: unknown) => {
      const result = schema.safeParse(data);
      return result.success ? { value: result.data } : { error: result.error };
    };
  });
  app.setSerializerCompiler(() => (data: unknown) => JSON.stringify(data));
}
