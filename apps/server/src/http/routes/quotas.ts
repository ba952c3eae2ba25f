import {
  Plan,
  PlanName,
  PutOrganizationQuotasBody,
  PutPlanBody,
  PutQuotasBody,
  QuotaReport,
  success,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const params = z.object({ id: z.string() });
const planParams = z.object({ name: PlanName });
const tags = ['quotas'];
const response = { 200: success(QuotaReport) };
const description = 'Holds for what begins from now on. What is stored already stays, and counts.';

/** Plans and quotas, and how far they are used. The services decide who may read and set which. */
export const quotaRoutes: Routes = (app, carcosa) => {
  planRoutes(app, carcosa);
  scopeRoutes(app, carcosa);
};

const planRoutes: Routes = (app, { quotaSettings, clock }) => {
  const config = { permission: 'admin', limit: 'standard' } as const;
  app.get(
    '/api/v1/plans',
    { config, schema: { tags, summary: 'List plans', response: { 200: success(z.object({ plans: z.array(Plan) })) } } },
    async (request) => answer(clock, { plans: await quotaSettings.plans(request.actor) }),
  );

  app.put(
    '/api/v1/plans/:name',
    {
      config,
      schema: {
        tags,
        summary: 'Make a plan, or change it for all who have it',
        params: planParams,
        body: PutPlanBody,
        response: { 200: success(Plan) },
      },
    },
    async (request) => answer(clock, await quotaSettings.putPlan(request.actor, request.params.name, request.body)),
  );

  app.delete(
    '/api/v1/plans/:name',
    {
      config,
      schema: { tags, summary: 'Remove a plan that nobody has', params: planParams, response: { 204: z.null() } },
    },
    async (request, reply) => {
      await quotaSettings.deletePlan(request.actor, request.params.name);
      return reply.code(204).send(null);
    },
  );
};

const scopeRoutes: Routes = (app, { quotaSettings, clock }) => {
  // The service decides: members of an organization, and administrators of the server, who may hold a key.
  const ofOrganization = { permission: 'admin', limit: 'read' } as const;
  app.get(
    '/api/v1/organizations/:id/quotas',
    { config: ofOrganization, schema: { tags, summary: 'Read the quotas of an organization', params, response } },
    async (request) => answer(clock, await quotaSettings.organization(request.actor, request.params.id)),
  );

  app.put(
    '/api/v1/organizations/:id/quotas',
    {
      config: { permission: 'admin', limit: 'standard' },
      schema: {
        tags,
        summary: 'Set the quotas or the plan of an organization',
        description,
        params,
        body: PutOrganizationQuotasBody,
        response,
      },
    },
    async (request) =>
      answer(clock, await quotaSettings.setOrganization(request.actor, request.params.id, request.body)),
  );

  app.get(
    '/api/v1/projects/:id/quotas',
    {
      config: { permission: 'usage:read' },
      schema: { tags, summary: 'Read the quotas of a project', params, response },
    },
    async (request) => answer(clock, await quotaSettings.project(request.actor, request.params.id)),
  );

  app.put(
    '/api/v1/projects/:id/quotas',
    {
      config: { permission: 'projects:write' },
      schema: { tags, summary: 'Set the quotas of a project', description, params, body: PutQuotasBody, response },
    },
    async (request) =>
      answer(clock, await quotaSettings.setProject(request.actor, request.params.id, request.body.quotas)),
  );

  app.get(
    '/api/v1/tenants/:id/quotas',
    {
      config: { permission: 'usage:read' },
      schema: { tags, summary: 'Read the quotas of a tenant', params, response },
    },
    async (request) => answer(clock, await quotaSettings.tenant(request.actor, request.params.id)),
  );

  app.put(
    '/api/v1/tenants/:id/quotas',
    {
      config: { permission: 'tenants:manage' },
      schema: { tags, summary: 'Set the quotas of a tenant', description, params, body: PutQuotasBody, response },
    },
    async (request) =>
      answer(clock, await quotaSettings.setTenant(request.actor, request.params.id, request.body.quotas)),
  );
};
