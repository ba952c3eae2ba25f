import { ErrorBody } from '@carcosa/contracts';
import { z } from 'zod';
import type { RouteAccess } from '../route-access.ts';
import { operationId, pathParameters, toOpenApiPath } from './paths.ts';

/** A route as its documentation needs it. */
export interface DocumentedRoute {
  method: string;
  /** As the router has it: `/files/:id`. */
  url: string;
  access: RouteAccess;
  limit: string | null;
  schema: RouteSchema;
}

export interface RouteSchema {
  tags?: readonly string[];
  summary?: string;
  description?: string;
  /** Types of a body that is streamed and has no schema. */
  consumes?: readonly string[];
  params?: unknown;
  querystring?: unknown;
  headers?: unknown;
  body?: unknown;
  response?: unknown;
}

type Json = Record<string, unknown>;

/** What a route answers that does not declare it, by its method. */
const USUAL_STATUS: Record<string, string> = { POST: '201', PATCH: '204', DELETE: '204', OPTIONS: '204' };

/**
 * The OpenAPI 3.1 document of `routes`, made of the Zod schemas that check their requests: what it says of a request is what is
 * enforced. Schemas are JSON Schema 2020-12, which OpenAPI 3.1 builds on.
 */
export function openApiDocument(
  routes: readonly DocumentedRoute[],
  facts: { version: string; serverUrl: string },
): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = toOpenApiPath(route.url);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Carcosa',
      version: facts.version,
      description: 'A self-hosted, storage-agnostic media control plane.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: facts.serverUrl }],
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'an API key, or an access token of somebody who is logged in',
        },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
        cookie: {
          type: 'apiKey',
          in: 'cookie',
          name: 'carcosa_access',
          description:
            'set by logging in; `__Host-carcosa_access` under https. Changes must come from a page of this server.',
        },
      },
      schemas: { Error: jsonSchema(ErrorBody, 'output') },
    },
    security: [{ bearer: [] }, { apiKey: [] }, { cookie: [] }],
  };
}

function operation({ method, url, access, limit, schema }: DocumentedRoute): Json {
  const { tags, summary, description } = schema;
  const text = [description, needsOf(access)].filter((part) => part !== undefined).join('\n\n');
  return {
    operationId: operationId(method, url),
    ...(tags ? { tags } : {}),
    ...(summary === undefined ? {} : { summary }),
    ...(text === '' ? {} : { description: text }),
    parameters: [
      ...inPath(url, schema.params),
      ...inQuery(schema.querystring, 'query'),
      ...inQuery(schema.headers, 'header'),
    ],
    ...requestBody(schema),
    responses: responses(method, schema.response),
    ...securityOf(access),
    'x-carcosa-access': access,
    'x-carcosa-limit': limit,
  };
}

function securityOf(access: RouteAccess): Json {
  if (access === 'public') return { security: [] };
  return access === 'login' || access === 'server-admin' ? { security: [{ bearer: [] }, { cookie: [] }] } : {};
}

function needsOf(access: RouteAccess): string | undefined {
  if (access === 'public') return undefined;
  if (access === 'login') return 'For people who are logged in; not for keys and tokens.';
  if (access === 'server-admin') return 'For administrators of the server.';
  return `Needs the permission \`${access.join('` or `')}\`.`;
}

function inPath(url: string, params: unknown): Json[] {
  const properties = propertiesOf(params).properties;
  return pathParameters(url).map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: properties[name] ?? { type: 'string' },
  }));
}

function inQuery(schema: unknown, place: 'query' | 'header'): Json[] {
  const { properties, required } = propertiesOf(schema);
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property;
    return {
      name,
      in: place,
      required: required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

function requestBody({ body, consumes }: RouteSchema): Json {
  if (body instanceof z.ZodType) {
    const required = !body.safeParse(undefined).success;
    return { requestBody: { required, content: { 'application/json': { schema: jsonSchema(body, 'input') } } } };
  }
  if (!consumes) return {};
  const content = consumes.map((type) => [type, { schema: type === 'multipart/form-data' ? FORM : {} }] as const);
  return { requestBody: { required: true, content: Object.fromEntries(content) } };
}

const FORM = {
  type: 'object',
  properties: { file: { type: 'string', contentMediaType: 'application/octet-stream' } },
  required: ['file'],
};

function responses(method: string, declared: unknown): Json {
  const known = Object.entries((declared ?? {}) as Record<string, unknown>);
  const answers = known.map(([status, schema]) => [status, response(status, schema)] as const);
  if (answers.length === 0) {
    const status = USUAL_STATUS[method] ?? '200';
    answers.push([status, response(status, undefined)]);
  }
  const error = {
    description: 'An error',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  };
  return { ...Object.fromEntries(answers), default: error };
}

function response(status: string, schema: unknown): Json {
  const description = status.startsWith('2') || status.startsWith('3') ? 'Success' : 'Failure';
  const hasBody = schema instanceof z.ZodType && !(schema instanceof z.ZodNull);
  return {
    description,
    ...(hasBody ? { content: { 'application/json': { schema: jsonSchema(schema, 'output') } } } : {}),
  };
}

function propertiesOf(schema: unknown): { properties: Record<string, Json>; required: string[] } {
  if (!(schema instanceof z.ZodType)) return { properties: {}, required: [] };
  const { properties, required } = jsonSchema(schema, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return { properties: properties ?? {}, required: required ?? [] };
}

/** What a client sends (`input`) may differ from what it gets (`output`): defaults, numbers in a query. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    unrepresentable: 'any',
  }) as Json;
  return json;
}
