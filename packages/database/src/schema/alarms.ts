import type { AlarmId, OrganizationId } from '@carcosa/kernel';
import { boolean, doublePrecision, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { organizations } from './control.ts';
import { bytea, instant } from './types.ts';

/** What is watched, and whom it is told. */
export const alarms = pgTable(
  'alarms',
  {
    id: text().$type<AlarmId>().primaryKey(),
    /** Null: the server's own. */
    organizationId: text('organization_id')
      .$type<OrganizationId>()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    kind: text().notNull(),
    name: text().notNull(),
    threshold: doublePrecision().notNull(),
    /** How long it must be so before it is told, either way. */
    forMinutes: integer('for_minutes').notNull(),
    enabled: boolean().notNull().default(true),
    /** Mail to the administrators of the server, or to owners and admins of the organization. */
    toAdministrators: boolean('to_administrators').notNull().default(true),
    emails: text().array().notNull().default([]),
    webhookUrl: text('webhook_url'),
    /** Sealed. */
    webhookSecret: bytea('webhook_secret'),
    /** Sealed: whoever knows it may write there. */
    chatUrl: bytea('chat_url'),
    chatHost: text('chat_host'),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [index('alarms_organization').on(table.organizationId, table.id)],
);

/** What is not as it should be, or has been so until a moment ago. What is well has no row. */
export const alarmStates = pgTable(
  'alarm_states',
  {
    alarmId: text('alarm_id')
      .$type<AlarmId>()
      .notNull()
      .references(() => alarms.id, { onDelete: 'cascade' }),
    /** The bucket, webhook, node or quota that it is about. */
    subject: text().notNull(),
    label: text().notNull(),
    phase: text().$type<'pending' | 'firing' | 'clearing'>().notNull(),
    /** Since when it is in that phase. */
    since: instant('since').notNull(),
    firedAt: instant('fired_at'),
    value: doublePrecision().notNull(),
  },
  (table) => [primaryKey({ columns: [table.alarmId, table.subject] })],
);

/** What each process has seen since its sample before. */
export const nodeSamples = pgTable(
  'node_samples',
  {
    instance: text().notNull(),
    at: instant('at').notNull(),
    requests: integer().notNull(),
    /** Answers of the class 5xx among them. */
    failures: integer().notNull(),
    /** Share of the data directory's disk that is free, in percent; null where it could not be read. */
    diskFree: doublePrecision('disk_free'),
  },
  (table) => [primaryKey({ columns: [table.at, table.instance] })],
);
