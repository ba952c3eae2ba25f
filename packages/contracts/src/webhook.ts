import { z } from 'zod';
import { queryInteger, StorableText, Timestamp } from './common.ts';
import { EventFilter } from './events.ts';

/** An http or https address, without credentials. */
export const WebhookUrl = z
  .url({ protocol: /^https?$/ })
  .max(2048)
  .refine((text) => URL.parse(text)?.username === '' && URL.parse(text)?.password === '', {
    message: 'an address without a user name or password',
  })
  .describe('where events go: an http or https address that anybody on the internet could reach');

const fields = {
  url: WebhookUrl,
  description: StorableText.trim().max(200),
  events: z
    .array(EventFilter)
    .min(1)
    .max(100)
    .transform((filters) => [...new Set(filters)])
    .describe('which events: types, families such as "file.*", or "*"'),
  rateLimit: z.number().int().min(1).max(1000).nullable().describe('most requests a second; null for no limit'),
};

export const CreateWebhookBody = z.strictObject({
  projectId: z.string().optional().describe('for what happens in this project'),
  organizationId: z.string().optional().describe('for all that happens in this organization; instead of projectId'),
  url: fields.url,
  description: fields.description.default(''),
  events: fields.events.default(['*']),
  rateLimit: fields.rateLimit.default(null),
});
export type CreateWebhookBody = z.infer<typeof CreateWebhookBody>;

export const UpdateWebhookBody = z
  .strictObject({ ...fields, enabled: z.boolean().describe('true also forgets earlier failures') })
  .partial();
export type UpdateWebhookBody = z.infer<typeof UpdateWebhookBody>;

export const RotateWebhookSecretBody = z.strictObject({
  overlapSeconds: z
    .number()
    .int()
    .min(0)
    .max(7 * 24 * 3600)
    .default(24 * 3600)
    .describe('how long the former secret signs beside the new one'),
});
export type RotateWebhookSecretBody = z.infer<typeof RotateWebhookSecretBody>;

export const WEBHOOK_HEALTH = ['healthy', 'failing', 'paused', 'disabled'] as const;

export const Webhook = z.object({
  id: z.string(),
  organizationId: z.string(),
  projectId: z.string().nullable().describe('null: all of the organization'),
  url: z.string(),
  description: z.string(),
  events: z.array(z.string()),
  rateLimit: z.number().int().nullable(),
  enabled: z.boolean(),
  health: z.enum(WEBHOOK_HEALTH).describe('"paused": nothing is sent for a while, because the last attempts failed'),
  disabledReason: z.string().nullable().describe('why it was switched off, where nobody did it'),
  consecutiveFailures: z.number().int(),
  failingSince: Timestamp.nullable(),
  lastSuccessAt: Timestamp.nullable(),
  pausedUntil: Timestamp.nullable(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type Webhook = z.infer<typeof Webhook>;

/** With the secret, which is shown once. */
export const NewWebhook = Webhook.extend({ secret: z.string().describe('`whsec_…`; it is not shown again') });
export type NewWebhook = z.infer<typeof NewWebhook>;

export const ListWebhooksQuery = z.strictObject({
  projectId: z.string().optional(),
  organizationId: z.string().optional().describe('those of the organization itself and of all of its projects'),
  limit: queryInteger(1, 100).default(50),
  cursor: z.string().max(500).optional(),
});
export type ListWebhooksQuery = z.infer<typeof ListWebhooksQuery>;

export const DELIVERY_STATES = ['pending', 'delivered', 'failed', 'cancelled'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** One event on its way to one webhook. */
export const Delivery = z.object({
  id: z.string(),
  webhookId: z.string(),
  eventId: z.string(),
  eventType: z.string(),
  state: z.enum(DELIVERY_STATES).describe('"cancelled": the webhook was switched off before it went out'),
  attempts: z.number().int(),
  nextAttemptAt: Timestamp.nullable(),
  isReplay: z.boolean(),
  createdAt: Timestamp,
  finishedAt: Timestamp.nullable(),
});
export type Delivery = z.infer<typeof Delivery>;

export const DeliveryAttempt = z.object({
  number: z.number().int(),
  at: Timestamp,
  durationMs: z.number().int(),
  url: z.string(),
  requestHeaders: z.record(z.string(), z.string()),
  status: z.number().int().nullable().describe('null where there was no answer'),
  responseHeaders: z.record(z.string(), z.string()).nullable(),
  responseBody: z.string().nullable().describe('the first 64 KiB'),
  error: z.string().nullable().describe('why it failed; null for a success'),
});
export type DeliveryAttempt = z.infer<typeof DeliveryAttempt>;

export const DeliveryDetail = Delivery.extend({
  requestBody: z.string().describe('the bytes that are signed'),
  history: z.array(DeliveryAttempt),
});
export type DeliveryDetail = z.infer<typeof DeliveryDetail>;

export const ListDeliveriesQuery = z.strictObject({
  state: z.enum(DELIVERY_STATES).optional(),
  limit: queryInteger(1, 100).default(50),
  cursor: z.string().max(500).optional(),
});
export type ListDeliveriesQuery = z.infer<typeof ListDeliveriesQuery>;

export const ReplayWebhookBody = z.strictObject({
  from: Timestamp.describe('of the events'),
  to: Timestamp.optional().describe('not included'),
  only: z
    .enum(['undelivered', 'all'])
    .default('undelivered')
    .describe('"undelivered": what this webhook never took; "all": all that its filters match'),
});
export type ReplayWebhookBody = z.infer<typeof ReplayWebhookBody>;

export const ReplayResult = z.object({ deliveries: z.number().int().describe('how many were queued') });
export type ReplayResult = z.infer<typeof ReplayResult>;

export const ReplayEventBody = z.strictObject({ webhookId: z.string() });
export type ReplayEventBody = z.infer<typeof ReplayEventBody>;
