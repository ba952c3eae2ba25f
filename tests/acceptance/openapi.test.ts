import Ajv from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Server, startServer } from '../support/server.ts';

interface Operation {
  parameters?: { name: string; in: string; required?: boolean; schema?: unknown }[];
  requestBody?: { content: Record<string, { schema?: unknown }> };
  responses: Record<string, { description?: string; content?: Record<string, { schema?: unknown }> }>;
  security?: unknown[];
  summary?: string;
  operationId?: string;
}
interface OpenApi {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, unknown>; securitySchemes?: Record<string, unknown> };
}

/** The routes that stand in the contract, as far as there is something behind them yet. */
const ROUTES = [
  'POST /api/v1/files',
  'GET /api/v1/files',
  'GET /api/v1/files/{}',
  'PATCH /api/v1/files/{}',
  'DELETE /api/v1/files/{}',
  'GET /api/v1/files/{}/download',
  'POST /api/v1/files/{}/signed-url',
  'POST /api/v1/files/{}/copy',
  'POST /api/v1/files/{}/restore',
  'GET /api/v1/files/{}/versions',
  'POST /api/v1/files/{}/versions/{}/restore',
  'GET /api/v1/files/folders',
  'POST /api/v1/files/bulk',
  'POST /api/v1/uploads/init',
  'POST /api/v1/uploads/{}/parts',
  'POST /api/v1/uploads/{}/complete',
  'GET /api/v1/uploads/{}',
  'DELETE /api/v1/uploads/{}',
  'GET /api/v1/uploads',
  'PATCH /api/v1/projects/{}',
  'POST /api/v1/projects/{}/rotate-signing-key',
  'GET /api/v1/buckets',
  'POST /api/v1/buckets',
  'POST /api/v1/buckets/{}/share',
  'DELETE /api/v1/buckets/{}/share/{}',
  'POST /api/v1/buckets/{}/test',
  'POST /api/v1/buckets/{}/fix-cors',
  'POST /api/v1/tus',
  'HEAD /api/v1/tus/{}',
  'PATCH /api/v1/tus/{}',
  'DELETE /api/v1/tus/{}',
  'GET /api/v1/audit-logs',
  'GET /api/v1/audit-logs/export',
  'GET /api/v1/audit-logs/verify',
  'GET /api/v1/usage/overview',
  'GET /api/v1/usage/breakdown',
  'GET /api/v1/usage/trends',
  'GET /api/v1/usage/export',
  'GET /api/v1/usage/invoices',
  'GET /api/v1/usage/invoices/{}',
  'GET /f/{}',
];
const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

let server: Server;
let document: OpenApi;
const operations: { where: string; path: string; operation: Operation }[] = [];
beforeAll(async () => {
  server = await startServer();
  const answer = await server.request('/api/v1/openapi.json');
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  document = (await answer.json()) as OpenApi;
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (operation) operations.push({ where: `${method.toUpperCase()} ${path}`, path, operation });
    }
  }
});
afterAll(() => server.stop());

describe('GET /api/v1/openapi.json', () => {
  it('is OpenAPI 3.1 with the parts that the specification demands', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info).toMatchObject({ title: expect.stringMatching(/./), version: expect.stringMatching(/./) });
    expect(Object.keys(document.paths).every((path) => path.startsWith('/'))).toBe(true);
  });

  it.each(ROUTES)('lists %s', (route) => {
    const listed = operations.map(({ where }) => where.replace(/\{[^}]*\}/g, '{}').replace(/(.)\/$/, '$1'));
    expect(listed).toContain(route);
  });

  it('declares every parameter of every path, once', () => {
    for (const { where, path, operation } of operations) {
      const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]);
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(declared.map(({ name }) => name).sort(), where).toEqual(inPath.sort());
      expect(
        declared.every(({ required }) => required === true),
        where,
      ).toBe(true);
    }
  });

  it('gives every operation responses with descriptions, a success among them', () => {
    for (const { where, operation } of operations) {
      const responses = Object.entries(operation.responses);
      expect(
        responses.some(([status]) => /^[23]/.test(status)),
        where,
      ).toBe(true);
      for (const [status, { description }] of responses)
        expect(typeof description, `${where} ${status}`).toBe('string');
    }
  });

  it('has operation ids that are unique', () => {
    const ids = operations.map(({ operation }) => operation.operationId).filter((id) => id !== undefined);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('says how one is known: an API key as bearer and in x-api-key', () => {
    const schemes = JSON.stringify(document.components?.securitySchemes ?? {}).toLowerCase();
    expect(schemes).toContain('bearer');
    expect(schemes).toContain('x-api-key');
  });

  it('has no reference that leads nowhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] as string);
    for (const reference of references) {
      const steps = reference
        .replace(/^#\//, '')
        .split('/')
        .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
      const target = steps.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], document);
      expect(target, reference).toBeDefined();
    }
  });

  it('has schemas that are JSON Schema 2020-12, which is what 3.1 builds on', () => {
    const ajv = new Ajv.default({ strict: false, validateFormats: false });
    ajv.addSchema(document, 'openapi');
    const pointers: string[] = [];
    const collect = (node: unknown, pointer: string): void => {
      if (typeof node !== 'object' || node === null) return;
      for (const [name, child] of Object.entries(node)) {
        const at = `${pointer}/${encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))}`;
        if (name === 'schema' && !pointer.endsWith('/properties')) pointers.push(at);
        else collect(child, at);
      }
    };
    collect(document.paths, '#/paths');
    expect(pointers.length).toBeGreaterThan(20);
    for (const pointer of pointers) expect(() => ajv.compile({ $ref: `openapi${pointer}` }), pointer).not.toThrow();
  });

  it('is true: a real answer of GET /files fits the schema that it declares', async () => {
    await server.api('POST', '/files', {
      query: { path: 'a.txt' },
      body: Buffer.from('x'),
      headers: { 'content-type': 'text/plain' },
    });
    const listed = operations.find(({ where }) => /^GET \/api\/v1\/files\/?$/.test(where));
    const schema = listed?.operation.responses['200']?.content?.['application/json']?.schema;
    expect(schema).toBeDefined();
    const ajv = new Ajv.default({ strict: false, validateFormats: false });
    const validate = ajv.compile({ ...(schema as object), components: document.components });
    const answer = await server.api('GET', '/files');
    expect(validate(answer.body), JSON.stringify(validate.errors)).toBe(true);
  });
});
