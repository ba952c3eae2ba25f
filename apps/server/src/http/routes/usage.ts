import { Readable } from 'node:stream';
import {
  Billing,
  ExportUsageQuery,
  Invoice,
  InvoiceFormatQuery,
  InvoiceQuery,
  InvoiceSummary,
  PriceTable,
  PutBillingBody,
  PutOrganizationPricesBody,
  PutPricesBody,
  success,
  UsageBreakdown,
  UsageBreakdownQuery,
  UsageMonth,
  UsageOverview,
  UsageQuery,
  UsageTrends,
  UsageTrendsQuery,
} from '@carcosa/contracts';
import { invoiceCsv } from '@carcosa/domain';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const tags = ['usage'];
const config = { permission: 'usage:read' } as const;
const params = z.object({ id: z.string() });
const monthParams = z.object({ month: UsageMonth });
const CONTENT_TYPES = { csv: 'text/csv; charset=utf-8', jsonl: 'application/jsonl; charset=utf-8' };
const description =
  'A key sees its project, and one confined to a tenant that tenant. A user names a project, or as owner or admin an organization. Days are those of UTC.';

/** What was used, and what it costs. */
export const usageRoutes: Routes = (app, carcosa) => {
  reportRoutes(app, carcosa);
  exportRoutes(app, carcosa);
  invoiceRoutes(app, carcosa);
  priceRoutes(app, carcosa);
  billingRoutes(app, carcosa);
};

const reportRoutes: Routes = (app, { usageReports, clock }) => {
  app.get(
    '/api/v1/usage/overview',
    {
      config,
      schema: {
        ...{ tags, description, summary: 'Sum up what was used, and what it costs' },
        querystring: UsageQuery,
        response: { 200: success(UsageOverview) },
      },
    },
    async (request) => answer(clock, await usageReports.overview(request.actor, request.query)),
  );

  app.get(
    '/api/v1/usage/breakdown',
    {
      config,
      schema: {
        ...{ tags, description, summary: 'Break down what was used by day, month, project, tenant, bucket or key' },
        querystring: UsageBreakdownQuery,
        response: { 200: success(UsageBreakdown) },
      },
    },
    async (request) => answer(clock, await usageReports.breakdown(request.actor, request.query)),
  );

  app.get(
    '/api/v1/usage/trends',
    {
      config,
      schema: {
        ...{ tags, description, summary: 'Follow what was used, and compare it with as many days before' },
        querystring: UsageTrendsQuery,
        response: { 200: success(UsageTrends) },
      },
    },
    async (request) => answer(clock, await usageReports.trends(request.actor, request.query)),
  );
};

const exportRoutes: Routes = (app, { usageReports }) => {
  app.get(
    '/api/v1/usage/export',
    {
      config,
      schema: {
        tags,
        summary: 'Download what was used by day, project, tenant, bucket and key, as CSV or JSON lines',
        description,
        querystring: ExportUsageQuery,
      },
    },
    async (request, reply) => {
      const { format } = request.query;
      const text = await usageReports.export(request.actor, request.query);
      return sendDocument(reply, { type: CONTENT_TYPES[format], name: `usage.${format}` }).send(Readable.from(text));
    },
  );
};

const invoiceRoutes: Routes = (app, { invoices, clock }) => {
  app.get(
    '/api/v1/usage/invoices',
    {
      config,
      schema: {
        ...{ tags, description, summary: 'List what each month cost, the newest first' },
        querystring: InvoiceQuery,
        response: { 200: success(z.object({ invoices: z.array(InvoiceSummary) })) },
      },
    },
    async (request) => answer(clock, { invoices: await invoices.list(request.actor, request.query) }),
  );

  app.get(
    '/api/v1/usage/invoices/:month',
    {
      config,
      schema: {
        tags,
        summary: 'Read what a month cost, by metric and price, as JSON or CSV',
        description: `${description} The invoice of a month that is not over is of what was used so far.`,
        params: monthParams,
        querystring: InvoiceFormatQuery,
        response: { 200: success(Invoice) },
      },
    },
    async (request, reply) => {
      const { format, ...query } = request.query;
      const { month } = request.params;
      const invoice = await invoices.get(request.actor, month, query);
      if (format === 'json') return answer(clock, invoice);
      sendDocument(reply, { type: CONTENT_TYPES.csv, name: `invoice-${month}.csv` });
      return invoiceCsv(invoice);
    },
  );
};

const priceRoutes: Routes = (app, { prices, clock }) => {
  const response = { 200: success(PriceTable) };
  // The service decides: administrators of the server, who may hold a key, and members of an organization.
  const reading = { permission: 'admin', limit: 'read' } as const;
  const setting = { permission: 'admin', limit: 'standard' } as const;
  app.get(
    '/api/v1/prices',
    { config: reading, schema: { tags, summary: 'Read the prices of this server', response } },
    async (request) => answer(clock, await prices.ofServer(request.actor)),
  );

  app.put(
    '/api/v1/prices',
    { config: setting, schema: { tags, summary: 'Set the prices of this server', body: PutPricesBody, response } },
    async (request) => answer(clock, await prices.setServer(request.actor, request.body)),
  );

  app.get(
    '/api/v1/organizations/:id/prices',
    { config: reading, schema: { tags, summary: 'Read the prices of an organization', params, response } },
    async (request) => answer(clock, await prices.ofOrganization(request.actor, request.params.id)),
  );

  app.put(
    '/api/v1/organizations/:id/prices',
    {
      config: setting,
      schema: {
        tags,
        summary: 'Set what an organization pays instead of the prices of this server',
        params,
        body: PutOrganizationPricesBody,
        response,
      },
    },
    async (request) => answer(clock, await prices.setOrganization(request.actor, request.params.id, request.body)),
  );
};

const billingRoutes: Routes = (app, { billingSettings, clock }) => {
  const response = { 200: success(Billing) };
  app.get(
    '/api/v1/organizations/:id/billing',
    {
      config: { permission: 'admin', limit: 'read' },
      schema: {
        ...{ tags, params, response },
        summary: 'Read how an organization is billed, and how far its usage was reported',
        description: 'For owners and admins of the organization, and administrators of the server.',
      },
    },
    async (request) => answer(clock, await billingSettings.get(request.actor, request.params.id)),
  );

  app.put(
    '/api/v1/organizations/:id/billing',
    {
      config: { permission: 'admin', limit: 'standard' },
      schema: {
        ...{ tags, params, response },
        summary: 'Say which customer of Stripe pays for an organization',
        description: 'For administrators of the server. What is used is reported from this day on, day by day.',
        body: PutBillingBody,
      },
    },
    async (request) => answer(clock, await billingSettings.set(request.actor, request.params.id, request.body)),
  );
};

function sendDocument(reply: FastifyReply, { type, name }: { type: string; name: string }): FastifyReply {
  return reply
    .header('Content-Type', type)
    .header('Content-Disposition', `attachment; filename="${name}"`)
    .header('X-Content-Type-Options', 'nosniff')
    .header('Cache-Control', 'no-store');
}
