import type { ApiKeyId, BucketId, OrganizationId, ProjectId, TeamId } from '@carcosa/kernel';
import { boolean, index, integer, jsonb, pgTable, primaryKey, smallint, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { bytea, instant } from './types.ts';

export const organizations = pgTable('organizations', {
  id: text().$type<OrganizationId>().primaryKey(),
  name: text().notNull(),
  slug: text().notNull().unique(),
  createdAt: instant('created_at').notNull(),
});

export const teams = pgTable(
  'teams',
  {
    id: text().$type<TeamId>().primaryKey(),
    organizationId: text('organization_id')
      .$type<OrganizationId>()
      .notNull()
      .references(() => organizations.id),
    name: text().notNull(),
    slug: text().notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [uniqueIndex('teams_slug').on(table.organizationId, table.slug)],
);

/** A place for bytes. Credentials never stand here in clear: a bucket from the environment keeps them there. */
export const buckets = pgTable(
  'buckets',
  {
    id: text().$type<BucketId>().primaryKey(),
    organizationId: text('organization_id')
      .$type<OrganizationId>()
      .notNull()
      .references(() => organizations.id),
    name: text().notNull(),
    provider: text().$type<'local' | 's3'>().notNull(),
    /** What the provider's adapter needs beside credentials: root, endpoint, region, bucket, prefix. */
    config: jsonb().$type<Record<string, unknown>>().notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [uniqueIndex('buckets_name').on(table.organizationId, table.name)],
);

export const projects = pgTable(
  'projects',
  {
    id: text().$type<ProjectId>().primaryKey(),
    organizationId: text('organization_id')
      .$type<OrganizationId>()
      .notNull()
      .references(() => organizations.id),
    teamId: text('team_id')
      .$type<TeamId>()
      .notNull()
      .references(() => teams.id),
    bucketId: text('bucket_id')
      .$type<BucketId>()
      .notNull()
      .references(() => buckets.id),
    name: text().notNull(),
    slug: text().notNull(),
    settings: jsonb().$type<Record<string, unknown>>().notNull(),
    /** Signed addresses carry an HMAC under a key derived from this number: raising it revokes them all. */
    signingKeyVersion: integer('signing_key_version').notNull().default(1),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [uniqueIndex('projects_slug').on(table.teamId, table.slug)],
);

export const apiKeys = pgTable(
  'api_keys',
  {
    id: text().$type<ApiKeyId>().primaryKey(),
    /** The middle of `sk_<public id>_<secret>`. */
    publicId: text('public_id').notNull().unique(),
    projectId: text('project_id')
      .$type<ProjectId>()
      .notNull()
      .references(() => projects.id),
    label: text().notNull(),
    secretHash: bytea('secret_hash').notNull(),
    permissions: text().array().notNull(),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [index('api_keys_project').on(table.projectId)],
);

/** The first answer to each request that carried an Idempotency-Key, kept for 24 hours. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    projectId: text('project_id')
      .$type<ProjectId>()
      .notNull()
      .references(() => projects.id),
    key: text().notNull(),
    /** SHA-256 of method, address and body; null until the body of a streamed upload has been read. */
    fingerprint: bytea(),
    status: smallint(),
    headers: jsonb().$type<Record<string, string>>(),
    body: text(),
    done: boolean().notNull().default(false),
    /** While the first request runs; a crash leaves it to lapse. */
    lockedUntil: instant('locked_until').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.projectId, table.key] }),
    index('idempotency_keys_expiry').on(table.expiresAt),
  ],
);
