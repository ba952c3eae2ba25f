import type { BucketId, OrganizationId, ProjectId } from '@carcosa/kernel';
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  date,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
} from 'drizzle-orm/pg-core';
import { instant } from './types.ts';

const count = (name: string) => bigint(name, { mode: 'number' }).notNull().default(0);

/** Whose usage a row is: each of them empty for none. The key is the API key that asked, or that stored the bytes. */
const dimensions = () => ({
  day: date().notNull(),
  projectId: text('project_id').$type<ProjectId>().notNull(),
  tenantId: text('tenant_id').notNull(),
  bucketId: text('bucket_id').$type<BucketId | ''>().notNull(),
  keyId: text('key_id').notNull(),
});

/** What follows from files that came and went, each with the seconds that were left of its day (UTC). */
const changes = () => ({
  uploads: count('uploads'),
  bytesIn: count('bytes_in'),
  /** By how many bytes more is stored. */
  storedBytes: count('stored_bytes'),
  /** The same times the seconds until the end of the day. */
  byteSeconds: doublePrecision('byte_seconds').notNull().default(0),
});

/**
 * What files added and took away, written by the statements that change them and folded into `usage_daily` soon after. Rows are only
 * added and removed: nobody waits for a lock of somebody else's.
 */
export const usageLedger = pgTable('usage_ledger', { ...dimensions(), ...changes() });

/** Usage of a day (UTC). */
export const usageDaily = pgTable(
  'usage_daily',
  {
    ...dimensions(),
    organizationId: text('organization_id').$type<OrganizationId>().notNull(),
    ...changes(),
    /** What was stored when the day began. */
    openingBytes: count('opening_bytes'),
    downloads: count('downloads'),
    bytesOut: count('bytes_out'),
    transforms: count('transforms'),
    transformMs: count('transform_ms'),
    apiCalls: count('api_calls'),
  },
  (table) => [
    primaryKey({ columns: [table.projectId, table.day, table.tenantId, table.bucketId, table.keyId] }),
    index('usage_daily_organization').on(
      table.organizationId,
      table.day,
      table.projectId,
      table.tenantId,
      table.bucketId,
      table.keyId,
    ),
    index('usage_daily_day').on(table.day),
  ],
);

/** What is stored now, as far as the ledger is folded. */
export const usageStored = pgTable(
  'usage_stored',
  {
    projectId: text('project_id').$type<ProjectId>().notNull(),
    tenantId: text('tenant_id').notNull(),
    bucketId: text('bucket_id').$type<BucketId | ''>().notNull(),
    keyId: text('key_id').notNull(),
    bytes: count('bytes'),
  },
  (table) => [primaryKey({ columns: [table.projectId, table.tenantId, table.bucketId, table.keyId] })],
);

/** The last day whose rows have what was stored at its beginning. One row; whoever folds locks it. */
export const usageState = pgTable(
  'usage_state',
  { only: boolean().primaryKey().default(true), openedDay: date('opened_day').notNull() },
  (table) => [check('usage_state_only', sql`${table.only}`)],
);

/** What each process has flushed last: a flush whose answer was lost is not counted twice when it is repeated. */
export const usageFlushes = pgTable('usage_flushes', {
  instance: text().primaryKey(),
  sequence: integer().notNull(),
  flushedAt: instant('flushed_at').notNull(),
});

/** Prices, from a month on: those of the server, and what differs for an organization. */
export const usagePrices = pgTable(
  'usage_prices',
  {
    /** Empty: of the server. */
    organizationId: text('organization_id').notNull(),
    /** As 2026-11. */
    month: text().notNull(),
    /** Of the server alone. */
    currency: text(),
    prices: jsonb().$type<Record<string, unknown>>().notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.month] })],
);
