import {
  CreateWebhookBody,
  Delivery,
  DeliveryDetail,
  ListDeliveriesQuery,
  ListWebhooksQuery,
  NewWebhook,
  page,
  ReplayEventBody,
  ReplayResult,
  ReplayWebhookBody,
  RotateWebhookSecretBody,
  success,
  UpdateWebhookBody,
  Webhook,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const tags = ['webhooks'];
const params = z.object({ id: z.string() });
const deliveryParams = z.object({ id: z.string(), deliveryId: z.string() });
const config = { permission: 'projects:write' } as const;

/** Webhooks of projects and organizations. */
export const webhookRoutes: Routes = (app, { webhooks, clock }) => {
  app.post(
    '/api/v1/webhooks',
    {
      // Not idempotent by key: the answer holds a secret, which is kept nowhere in clear.
      config,
      schema: {
        tags,
        summary: 'Make a webhook',
        description:
          'Requests are signed as the Standard Webhooks specification says, with the secret that only this answer shows.',
        body: CreateWebhookBody,
        response: { 201: success(NewWebhook) },
      },
    },
    async (request, reply) => {
      reply.code(201).header('Cache-Control', 'no-store');
      return answer(clock, await webhooks.create(request.actor, request.body));
    },
  );

  app.get(
    '/api/v1/webhooks',
    {
      config,
      schema: {
        tags,
        summary: 'List the webhooks of a project or organization',
        querystring: ListWebhooksQuery,
        response: { 200: success(page(Webhook)) },
      },
    },
    async (request) => answer(clock, await webhooks.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/webhooks/:id',
    { config, schema: { tags, summary: 'Read a webhook, and how it is', params, response: { 200: success(Webhook) } } },
    async (request) => answer(clock, await webhooks.get(request.actor, request.params.id)),
  );

  app.patch(
    '/api/v1/webhooks/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Change a webhook, or switch it on or off',
        params,
        body: UpdateWebhookBody,
        response: { 200: success(Webhook) },
      },
    },
    async (request) => answer(clock, await webhooks.update(request.actor, request.params.id, request.body)),
  );

  app.delete(
    '/api/v1/webhooks/:id',
    { config, schema: { tags, summary: 'Remove a webhook and its history', params, response: { 204: z.null() } } },
    async (request, reply) => {
      await webhooks.remove(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/webhooks/:id/rotate-secret',
    {
      config,
      schema: {
        tags,
        summary: 'Give a webhook a new secret',
        description: 'For the time of the overlap requests carry a signature by each of the two.',
        params,
        body: RotateWebhookSecretBody.nullish(),
        response: { 200: success(NewWebhook) },
      },
    },
    async (request, reply) => {
      reply.header('Cache-Control', 'no-store');
      const body = request.body ?? RotateWebhookSecretBody.parse({});
      return answer(clock, await webhooks.rotateSecret(request.actor, request.params.id, body));
    },
  );
};

/** What was sent to webhooks. */
export const deliveryRoutes: Routes = (app, { deliveries, clock }) => {
  app.post(
    '/api/v1/webhooks/:id/test',
    {
      config: { ...config, limit: 'expensive' },
      schema: {
        tags,
        summary: 'Send an event of type webhook.test, and see what becomes of it',
        params,
        response: { 200: success(DeliveryDetail) },
      },
    },
    async (request) => answer(clock, await deliveries.test(request.actor, request.params.id)),
  );

  app.post(
    '/api/v1/webhooks/:id/replay',
    {
      config: { ...config, limit: 'expensive' },
      schema: {
        tags,
        summary: 'Send the events of a span of time once more',
        description: 'At most 100,000, in their order, each with the id that it always has.',
        params,
        body: ReplayWebhookBody,
        response: { 202: success(ReplayResult) },
      },
    },
    async (request, reply) => {
      reply.code(202);
      return answer(clock, await deliveries.replayAll(request.actor, request.params.id, request.body));
    },
  );

  app.get(
    '/api/v1/webhooks/:id/deliveries',
    {
      config,
      schema: {
        tags,
        summary: 'List what was sent to a webhook, or is to be, newest first',
        params,
        querystring: ListDeliveriesQuery,
        response: { 200: success(page(Delivery)) },
      },
    },
    async (request) => answer(clock, await deliveries.list(request.actor, request.params.id, request.query)),
  );

  app.get(
    '/api/v1/webhooks/:id/deliveries/:deliveryId',
    {
      config,
      schema: {
        tags,
        summary: 'Read a delivery with every request that was made for it, and its answer',
        params: deliveryParams,
        response: { 200: success(DeliveryDetail) },
      },
    },
    async (request) => answer(clock, await deliveries.get(request.actor, request.params.id, request.params.deliveryId)),
  );

  app.post(
    '/api/v1/webhooks/:id/deliveries/:deliveryId/replay',
    {
      config,
      schema: {
        tags,
        summary: 'Send the event of a delivery once more',
        params: deliveryParams,
        response: { 202: success(Delivery) },
      },
    },
    async (request, reply) => {
      reply.code(202);
      return answer(clock, await deliveries.replay(request.actor, request.params.id, request.params.deliveryId));
    },
  );

  app.post(
    '/api/v1/events/:id/replay',
    {
      config,
      schema: {
        tags: ['events'],
        summary: 'Send an event once more to a webhook',
        params,
        body: ReplayEventBody,
        response: { 202: success(Delivery) },
      },
    },
    async (request, reply) => {
      reply.code(202);
      return answer(clock, await deliveries.replayEvent(request.actor, request.params.id, request.body.webhookId));
    },
  );
};
