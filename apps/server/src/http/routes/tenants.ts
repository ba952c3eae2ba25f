import {
  CreateTenantBody,
  ListTenantsQuery,
  MintedToken,
  MintTokenBody,
  page,
  success,
  Tenant,
  UpdateTenantBody,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const params = z.object({ id: z.string() });
const tags = ['tenants'];
const config = { permission: 'tenants:manage' } as const;

export const tenantRoutes: Routes = (app, { tenants, tenantTokens, clock }) => {
  app.post(
    '/api/v1/tenants',
    {
      config: { ...config, idempotent: true },
      schema: {
        tags,
        summary: 'Make a tenant: a customer of your app',
        body: CreateTenantBody,
        response: { 201: success(Tenant) },
      },
    },
    async (request, reply) => {
      reply.code(201);
      return answer(clock, await tenants.create(request.actor, request.body));
    },
  );

  app.get(
    '/api/v1/tenants',
    {
      config,
      schema: {
        tags,
        summary: 'List the tenants of a project',
        querystring: ListTenantsQuery,
        response: { 200: success(page(Tenant)) },
      },
    },
    async (request) => answer(clock, await tenants.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/tenants/:id',
    { config, schema: { tags, summary: 'Read a tenant', params, response: { 200: success(Tenant) } } },
    async (request) => answer(clock, await tenants.get(request.actor, request.params.id)),
  );

  app.patch(
    '/api/v1/tenants/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Change, suspend or resume a tenant',
        params,
        body: UpdateTenantBody,
        response: { 200: success(Tenant) },
      },
    },
    async (request) => answer(clock, await tenants.update(request.actor, request.params.id, request.body)),
  );

  app.delete(
    '/api/v1/tenants/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Remove a tenant and all of its files',
        description: 'Its tokens end at once; its files go soon after.',
        params,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await tenants.remove(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/tenants/:id/tokens',
    {
      config,
      schema: {
        tags,
        summary: 'Mint a short-lived token for a browser of one tenant',
        description:
          'It may what you say, of what you may, with the files of that tenant alone. It ends with the key that minted it.',
        params,
        body: MintTokenBody.nullish(),
        response: { 201: success(MintedToken) },
      },
    },
    async (request, reply) => {
      reply.code(201).header('Cache-Control', 'no-store');
      const body = request.body ?? MintTokenBody.parse({});
      return answer(clock, await tenantTokens.mint(request.actor, request.params.id, body));
    },
  );
};
