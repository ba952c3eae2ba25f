import type { ApiKeyId, BucketId, OrganizationId, ProjectId, TeamId } from '@carcosa/kernel';
import { sql } from 'drizzle-orm';
import { boolean, index, integer, jsonb, pgTable, primaryKey, smallint, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { plans } from './limits.ts';
import { bytea, instant } from './types.ts';

export const organizations = pgTable('organizations', {
  id: text().$type<OrganizationId>().primaryKey(),
  name: text().notNull(),
  slug: text().notNull().unique(),
  /** Null: no quotas but those set here. */
  plan: text().references(() => plans.name),
  /** Quotas that stand instead of the plan's. */
  quotas: jsonb().$type<Record<string, unknown>>().notNull().default({}),
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
    /** Sealed credentials; null for a local bucket and for one from the environment. */
    credentials: bytea(),
    /** Made by the environment at start, and so not to be changed or removed by anybody else. */
    fromEnvironment: boolean('from_environment').notNull().default(false),
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
    quotas: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    /** Signed addresses carry an HMAC under a key derived from this number: raising it revokes them all. */
    signingKeyVersion: integer('signing_key_version').notNull().default(1),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
    /** Being removed since: nobody sees it any more while a job removes its files. */
    deletedAt: instant('deleted_at'),
  },
  (table) => [
    uniqueIndex('projects_slug').on(table.teamId, table.slug).where(sql`deleted_at is null`),
    index('projects_organization').on(table.organizationId, table.id),
    index('projects_team').on(table.teamId, table.id),
    index('projects_bucket').on(table.bucketId),
  ],
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
    /** The whole key, sealed, for a key that signs addresses: an HMAC by it can be verified by nothing less. Null for every other one. */
    sealedToken: bytea('sealed_token'),
    permissions: text().array().notNull(),
    /** What the key is confined to beside its project: tenant, folder prefix, networks, origins. */
    restrictions: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    /** Rate limits are this many times those of others. */
    limitFactor: integer('limit_factor').notNull().default(1),
    createdBy: text('created_by'),
    /** The key that replaces this one, which ends when the overlap does. */
    rotatedTo: text('rotated_to').$type<ApiKeyId>(),
    /** To the minute. */
    lastUsedAt: instant('last_used_at'),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    index('api_keys_project').on(table.projectId, table.id),
    index('api_keys_signing').on(table.projectId).where(sql`sealed_token is not null and revoked_at is null`),
  ],
);

/** The first answer to each request that carried an Idempotency-Key, kept for 24 hours. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /** Whose keys they are: a tenant's, a project's, or a user's where no project is concerned. */
    scope: text().notNull(),
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
  (table) => [primaryKey({ columns: [table.scope, table.key] }), index('idempotency_keys_expiry').on(table.expiresAt)],
);
