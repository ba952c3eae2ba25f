import type { OrganizationId } from '@carcosa/kernel';
import { sql } from 'drizzle-orm';
import { bigint, date, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { organizations } from './control.ts';
import { instant } from './types.ts';

/** Who pays for an organization, as the provider of payments knows them. */
export const billingCustomers = pgTable('billing_customers', {
  organizationId: text('organization_id')
    .$type<OrganizationId>()
    .primaryKey()
    .references(() => organizations.id, { onDelete: 'cascade' }),
  customerId: text('customer_id').notNull(),
  /** The first day that is reported. */
  since: date().notNull(),
});

/** What was, or is to be, reported of a day: what was used more than the reports before it say. */
export const billingReports = pgTable(
  'billing_reports',
  {
    organizationId: text('organization_id').$type<OrganizationId>().notNull(),
    metric: text().notNull(),
    day: date().notNull(),
    /** From 1; more than one where something came late. */
    sequence: integer().notNull(),
    customerId: text('customer_id').notNull(),
    /** Whole units of the meter. */
    value: bigint({ mode: 'number' }).notNull(),
    /** Answers of the provider that it had a fault; each changes the key under which it is sent again. */
    faults: integer().notNull().default(0),
    /** What the provider said when it refused it; sent again with the next round. */
    error: text(),
    createdAt: instant('created_at').notNull(),
    /** When the provider took it; null: not yet. */
    reportedAt: instant('reported_at'),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.day, table.metric, table.sequence] }),
    index('billing_reports_due').on(table.day).where(sql`reported_at is null`),
  ],
);
