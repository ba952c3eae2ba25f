import type { DeliveryId, EventId, OrganizationId, ProjectId, WebhookId } from '@carcosa/kernel';
import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { organizations, projects } from './control.ts';
import { bytea, instant } from './types.ts';

/** What happened, written by the statement that records it in the audit log. Append-only: a trigger refuses changes. */
export const events = pgTable(
  'events',
  {
    /** Of two events of one thing, the later has the larger one; others may be committed in another order. */
    position: bigserial({ mode: 'number' }).primaryKey(),
    id: text().$type<EventId>().notNull().unique(),
    type: text().notNull(),
    organizationId: text('organization_id').notNull(),
    projectId: text('project_id'),
    tenantId: text('tenant_id'),
    /** What it happened to: its events are delivered in their order. */
    resourceId: text('resource_id'),
    /** Of files, for who is confined to a folder. */
    path: text(),
    data: jsonb().$type<Record<string, unknown>>().notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    index('events_organization').on(table.organizationId, table.position),
    index('events_project').on(table.projectId, table.position).where(sql`project_id is not null`),
    index('events_tenant').on(table.tenantId, table.position).where(sql`tenant_id is not null`),
    index('events_resource').on(table.resourceId, table.position),
    index('events_created').using('brin', table.createdAt).with({ pages_per_range: 32, autosummarize: true }),
  ],
);

/** Events that nobody has turned into deliveries yet. A cursor would miss those that are committed late with a smaller position. */
export const eventQueue = pgTable('event_queue', {
  position: bigint({ mode: 'number' }).primaryKey(),
});

export const webhooks = pgTable(
  'webhooks',
  {
    id: text().$type<WebhookId>().primaryKey(),
    organizationId: text('organization_id')
      .$type<OrganizationId>()
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    /** Null: all of the organization. */
    projectId: text('project_id')
      .$type<ProjectId>()
      .references(() => projects.id, { onDelete: 'cascade' }),
    url: text().notNull(),
    description: text().notNull(),
    /** As they were given, such as `file.*`. */
    events: text().array().notNull(),
    /** The types that these name. */
    eventTypes: text('event_types').array().notNull(),
    rateLimit: integer('rate_limit'),
    /** Sealed. */
    secret: bytea().notNull(),
    /** The secret before, sealed; signs beside the new one until it ends. */
    formerSecret: bytea('former_secret'),
    formerSecretUntil: instant('former_secret_until'),
    enabled: boolean().notNull().default(true),
    disabledReason: text('disabled_reason'),
    consecutiveFailures: integer('consecutive_failures').notNull().default(0),
    failingSince: instant('failing_since'),
    lastSuccessAt: instant('last_success_at'),
    /** Nothing is sent before. */
    pausedUntil: instant('paused_until'),
    /** The process that sends to it now, and until when by the database's clock. */
    laneOwner: text('lane_owner'),
    laneUntil: instant('lane_until'),
    createdBy: text('created_by'),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [
    index('webhooks_organization').on(table.organizationId, table.id),
    index('webhooks_project').on(table.projectId, table.id).where(sql`project_id is not null`),
  ],
);

/** One event on its way to one webhook. */
export const webhookDeliveries = pgTable(
  'webhook_deliveries',
  {
    position: bigserial({ mode: 'number' }).primaryKey(),
    id: text().$type<DeliveryId>().notNull().unique(),
    webhookId: text('webhook_id')
      .$type<WebhookId>()
      .notNull()
      .references(() => webhooks.id, { onDelete: 'cascade' }),
    eventPosition: bigint('event_position', { mode: 'number' }).notNull(),
    /** What is delivered one after the other: the resource, or the event where it has none. */
    orderKey: text('order_key').notNull(),
    state: text().$type<'pending' | 'delivered' | 'failed' | 'cancelled'>().notNull(),
    attempts: integer().notNull().default(0),
    nextAt: instant('next_at').notNull(),
    isReplay: boolean('is_replay').notNull().default(false),
    createdAt: instant('created_at').notNull(),
    finishedAt: instant('finished_at'),
  },
  (table) => [
    uniqueIndex('webhook_deliveries_once').on(table.webhookId, table.eventPosition).where(sql`not is_replay`),
    index('webhook_deliveries_due').on(table.webhookId, table.nextAt, table.position).where(sql`state = 'pending'`),
    index('webhook_deliveries_order').on(table.webhookId, table.orderKey, table.position).where(sql`state = 'pending'`),
    index('webhook_deliveries_list').on(table.webhookId, table.position),
    index('webhook_deliveries_event').on(table.eventPosition, table.webhookId),
  ],
);

/** Every request that was made for a delivery. The body is that of the event, and stands there. */
export const webhookAttempts = pgTable(
  'webhook_attempts',
  {
    deliveryId: text('delivery_id')
      .$type<DeliveryId>()
      .notNull()
      .references(() => webhookDeliveries.id, { onDelete: 'cascade' }),
    number: integer().notNull(),
    at: instant('at').notNull(),
    durationMs: integer('duration_ms').notNull(),
    url: text().notNull(),
    requestHeaders: jsonb('request_headers').$type<Record<string, string>>().notNull(),
    status: integer(),
    responseHeaders: jsonb('response_headers').$type<Record<string, string>>(),
    responseBody: text('response_body'),
    error: text(),
  },
  (table) => [primaryKey({ columns: [table.deliveryId, table.number] })],
);
