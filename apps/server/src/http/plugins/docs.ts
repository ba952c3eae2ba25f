import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CarcosaError } from '@carcosa/kernel';
import type { FastifyReply, HTTPMethods, RouteHandlerMethod } from 'fastify';
import { z } from 'zod';
import { type DocumentedRoute, openApiDocument, type RouteSchema } from '../openapi/document.ts';
import { accessOf, limitOf } from '../route-access.ts';
import type { App } from '../types.ts';

// Swagger UI as @fastify/swagger-ui ships it: the plain package of Swagger UI brings a dependency that reports each installation.
const ASSETS = { package: '@fastify/swagger-ui/package.json', directory: 'static' };
const ASSET_TYPES: Record<string, string> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};
const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/**
 * The OpenAPI document of all routes that come after this, and a page to try them. Both are made when they are first asked for:
 * a start does not wait for them.
 */
export function addDocumentation(app: App, facts: { version: string; publicUrl: string }): void {
  const prefix = new URL(facts.publicUrl).pathname.replace(/\/$/, '');
  const routes = collectRoutes(app);
  const config = { public: true } as const;
  const schema = { hide: true };
  let document: string | undefined;

  app.get('/api/v1/openapi.json', { config, schema }, async (_request, reply) => {
    document ??= JSON.stringify(openApiDocument(routes, { version: facts.version, serverUrl: prefix || '/' }));
    return reply.type('application/json; charset=utf-8').header('Cache-Control', 'no-cache').send(document);
  });
  app.get('/api/v1/docs', { config, schema }, async (_request, reply) => {
    return reply.type('text/html; charset=utf-8').headers(pageHeaders).send(page(prefix));
  });
  app.get('/api/v1/docs/init.js', { config, schema }, async (_request, reply) => {
    return reply.type('text/javascript; charset=utf-8').headers(pageHeaders).send(script(prefix));
  });
  app.get(
    '/api/v1/docs/:name',
    { config, schema: { ...schema, params: z.object({ name: z.string() }) } },
    async (request, reply) => {
      return sendAsset(request.params.name, reply);
    },
  );
}

/** All routes that come after this and are not hidden. */
export function collectRoutes(app: App): DocumentedRoute[] {
  const routes: DocumentedRoute[] = [];
  const handlers = new Map<string, RouteHandlerMethod>();
  app.addHook('onRoute', (route) => {
    const schema = (route.schema ?? {}) as RouteSchema & { hide?: boolean };
    if (schema.hide) return;
    for (const method of [route.method].flat() as HTTPMethods[]) {
      // The HEAD that the framework adds to each GET runs the same handler and says nothing new.
      if (method === 'HEAD' && handlers.get(route.url) === route.handler) continue;
      if (method === 'GET') handlers.set(route.url, route.handler as RouteHandlerMethod);
      const access = accessOf(route.config ?? {});
      routes.push({ method, url: route.url, access, limit: limitOf(route), schema });
    }
  });
  return routes;
}

async function sendAsset(name: string, reply: FastifyReply): Promise<FastifyReply> {
  const type = ASSET_TYPES[name];
  if (type === undefined) throw new CarcosaError('not_found');
  const root = join(dirname(createRequire(import.meta.url).resolve(ASSETS.package)), ASSETS.directory);
  const content = await readFile(join(root, name));
  return reply.type(type).headers(pageHeaders).header('Cache-Control', 'public, max-age=86400').send(content);
}

const pageHeaders = {
  'Content-Security-Policy': CONTENT_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

const page = (prefix: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Carcosa API</title>
<link rel="icon" href="${prefix}/api/v1/docs/favicon-32x32.png">
<link rel="stylesheet" href="${prefix}/api/v1/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="${prefix}/api/v1/docs/swagger-ui-bundle.js"></script>
<script src="${prefix}/api/v1/docs/init.js"></script>
</body>
</html>
`;

const script = (prefix: string): string => `SwaggerUIBundle({
  url: '${prefix}/api/v1/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
  tryItOutEnabled: true,
});
`;
