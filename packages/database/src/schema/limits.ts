import { bigint, integer, jsonb, pgTable, primaryKey, smallint, text } from 'drizzle-orm/pg-core';
import { instant } from './types.ts';

/** Named sets of quotas; an organization has one. */
export const plans = pgTable('plans', {
  name: text().primaryKey(),
  /** What is absent is not limited. */
  quotas: jsonb().$type<Record<string, unknown>>().notNull().default({}),
  /** Days that audit entries are kept; null: for ever. */
  auditRetentionDays: integer('audit_retention_days'),
  /** Days that events are kept; null: for ever. */
  eventRetentionDays: integer('event_retention_days'),
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
});

/**
 * What is used of a quota, and what uploads under way have reserved of it. A row exists from the moment that the quota is set: who
 * has none pays nothing for them.
 */
export const quotaCounters = pgTable(
  'quota_counters',
  {
    /** Id of the organization, project or tenant. */
    scopeId: text('scope_id').notNull(),
    metric: text().$type<'bytes' | 'files' | 'uploadBytes' | 'egressBytes' | 'transforms'>().notNull(),
    /** The month in UTC, as 2026-11; empty for what is not counted by month. */
    period: text().notNull(),
    used: bigint({ mode: 'number' }).notNull().default(0),
    reserved: bigint({ mode: 'number' }).notNull().default(0),
    /** The highest of 80, 90 and 100 percent that was told in `told_in`. */
    told: smallint().notNull().default(0),
    /** The month in UTC, as 2026-11. */
    toldIn: text('told_in').notNull().default(''),
    /** The limit that it was told of: another one is told anew. */
    toldLimit: bigint('told_limit', { mode: 'number' }),
  },
  (table) => [primaryKey({ columns: [table.scopeId, table.metric, table.period] })],
);

/** Settings of the server that administrators change while it runs, such as rate limits; one row a name. */
export const serverSettings = pgTable('server_settings', {
  name: text().primaryKey(),
  value: jsonb().$type<unknown>().notNull(),
  updatedAt: instant('updated_at').notNull(),
});
