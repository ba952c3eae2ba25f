import { sql } from 'drizzle-orm';
import { bigint, bigserial, index, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { bytea, instant } from './types.ts';

/** What was done, and what was refused. Append-only: a trigger refuses changes, and removals but for retention, which removes the oldest. */
export const auditEntries = pgTable(
  'audit_entries',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    at: instant('at').notNull(),
    /** Empty for what belongs to no organization: log-ins, the server itself. */
    organizationId: text('organization_id').notNull().default(''),
    projectId: text('project_id'),
    tenantId: text('tenant_id'),
    actorType: text('actor_type').$type<'user' | 'api-key' | 'tenant-token' | 'system' | 'anonymous'>().notNull(),
    /** Null for somebody unknown. */
    actorId: text('actor_id'),
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    requestId: text('request_id'),
    /** What was done, as `project.update`. */
    action: text().notNull(),
    resourceType: text('resource_type'),
    resourceId: text('resource_id'),
    before: jsonb().$type<unknown>(),
    after: jsonb().$type<unknown>(),
    /** `success`, or the code of the error that refused it. */
    result: text().notNull(),
  },
  (table) => [
    // Pages are in the order of time, newest first; each filter has the index that leads to it in this order.
    index('audit_entries_organization').on(table.organizationId, table.at, table.id),
    index('audit_entries_actor').on(table.organizationId, table.actorId, table.at, table.id),
    index('audit_entries_action').on(table.organizationId, table.action, table.at, table.id),
    index('audit_entries_resource').on(table.organizationId, table.resourceId, table.at, table.id),
    // Refusals are few among many.
    index('audit_entries_refused').on(table.organizationId, table.at, table.id).where(sql`result <> 'success'`),
    // Of keys, which see their project or tenant alone.
    index('audit_entries_project').on(table.projectId, table.at, table.id).where(sql`project_id is not null`),
    index('audit_entries_tenant').on(table.tenantId, table.at, table.id).where(sql`tenant_id is not null`),
  ],
);

/** Links each entry to the one before in the chain of its organization. Append-only as the entries. */
export const auditSeals = pgTable(
  'audit_seals',
  {
    entryId: bigint('entry_id', { mode: 'number' }).primaryKey(),
    organizationId: text('organization_id').notNull(),
    /** Position in the chain of the organization, from 1. */
    sequence: bigint({ mode: 'number' }).notNull(),
    /** SHA-256 over the hash of the entry before and this one. */
    hash: bytea().notNull(),
  },
  (table) => [uniqueIndex('audit_seals_chain').on(table.organizationId, table.sequence)],
);

/** The entries that wait to be sealed. */
export const auditUnsealed = pgTable('audit_unsealed', {
  entryId: bigint('entry_id', { mode: 'number' }).primaryKey(),
});

/** The last link of each organization's chain, and where it begins since retention removed what was before. */
export const auditChains = pgTable('audit_chains', {
  organizationId: text('organization_id').primaryKey(),
  sequence: bigint({ mode: 'number' }).notNull(),
  hash: bytea().notNull(),
  /** Sequence and hash of the last entry that was removed; 0 and 32 zeros at first. */
  anchorSequence: bigint('anchor_sequence', { mode: 'number' }).notNull().default(0),
  anchorHash: bytea('anchor_hash').notNull(),
});
