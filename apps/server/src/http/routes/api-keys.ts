import {
  ApiKey,
  CreateApiKeyBody,
  CreatedApiKey,
  ListQuery,
  page,
  RotateApiKeyBody,
  success,
  UpdateApiKeyBody,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const params = z.object({ id: z.string() });
const tags = ['api-keys'];

export const apiKeyRoutes: Routes = (app, { apiKeyManager, clock }) => {
  app.post(
    '/api/v1/api-keys',
    {
      // Not idempotent by header: the answer carries a secret, which is kept nowhere.
      config: { permission: 'api-keys:write', limit: 'key-creation' },
      schema: {
        tags,
        summary: 'Make an API key',
        description: 'The answer shows the key this one time. Nobody can give a permission that they do not have.',
        body: CreateApiKeyBody,
        response: { 201: success(CreatedApiKey) },
      },
    },
    async (request, reply) => {
      reply.code(201).header('Cache-Control', 'no-store');
      return answer(clock, await apiKeyManager.create(request.actor, request.body));
    },
  );

  app.get(
    '/api/v1/api-keys',
    {
      config: { permission: 'api-keys:read' },
      schema: {
        tags,
        summary: 'List the keys of a project',
        querystring: ListQuery.extend({ projectId: z.string().optional() }),
        response: { 200: success(page(ApiKey)) },
      },
    },
    async (request) => answer(clock, await apiKeyManager.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/api-keys/:id',
    {
      config: { permission: 'api-keys:read' },
      schema: { tags, summary: 'Read what a key may', params, response: { 200: success(ApiKey) } },
    },
    async (request) => answer(clock, await apiKeyManager.get(request.actor, request.params.id)),
  );

  app.patch(
    '/api/v1/api-keys/:id',
    {
      config: { permission: 'api-keys:write' },
      schema: {
        tags,
        summary: 'Change a key',
        description: '`permissions` and `restrictions` replace what was there.',
        params,
        body: UpdateApiKeyBody,
        response: { 200: success(ApiKey) },
      },
    },
    async (request) => answer(clock, await apiKeyManager.update(request.actor, request.params.id, request.body)),
  );

  app.post(
    '/api/v1/api-keys/:id/rotate',
    {
      config: { permission: 'api-keys:write', limit: 'key-creation' },
      schema: {
        tags,
        summary: 'Replace a key by a new one',
        description:
          'The old one works on for `overlapSeconds`, so that nothing stops while the new one is handed out.',
        params,
        body: RotateApiKeyBody.nullish(),
        response: { 201: success(CreatedApiKey) },
      },
    },
    async (request, reply) => {
      reply.code(201).header('Cache-Control', 'no-store');
      const body = request.body ?? RotateApiKeyBody.parse({});
      return answer(clock, await apiKeyManager.rotate(request.actor, request.params.id, body));
    },
  );

  app.delete(
    '/api/v1/api-keys/:id',
    {
      config: { permission: 'api-keys:delete' },
      schema: {
        tags,
        summary: 'Revoke a key',
        description: 'On all nodes within a second. It stays listed, with the time of its end.',
        params,
        response: { 200: success(ApiKey) },
      },
    },
    async (request) => answer(clock, await apiKeyManager.revoke(request.actor, request.params.id)),
  );
};
