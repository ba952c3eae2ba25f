import type { BucketId, InvitationId, OrganizationId, ProjectId, TeamId, TenantId, UserId } from '@carcosa/kernel';
import { sql } from 'drizzle-orm';
import { index, jsonb, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { buckets, organizations, projects, teams } from './control.ts';
import { users } from './people.ts';
import { bytea, instant } from './types.ts';

export type MemberRole = 'owner' | 'admin' | 'member' | 'viewer';

const userId = () =>
  text('user_id')
    .$type<UserId>()
    .notNull()
    .references(() => users.id, { onDelete: 'cascade' });
const organizationId = () =>
  text('organization_id')
    .$type<OrganizationId>()
    .notNull()
    .references(() => organizations.id, { onDelete: 'cascade' });

export const organizationMembers = pgTable(
  'organization_members',
  {
    organizationId: organizationId(),
    userId: userId(),
    role: text().$type<MemberRole>().notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.userId] }),
    index('organization_members_user').on(table.userId),
  ],
);

/** A role in one team, for members whose role in the organization does not already give it. */
export const teamMembers = pgTable(
  'team_members',
  {
    teamId: text('team_id')
      .$type<TeamId>()
      .notNull()
      .references(() => teams.id, { onDelete: 'cascade' }),
    userId: userId(),
    role: text().$type<MemberRole>().notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.teamId, table.userId] }), index('team_members_user').on(table.userId)],
);

/** A place in an organization, or in one team of it, that waits for somebody with a link. */
export const invitations = pgTable(
  'invitations',
  {
    id: text().$type<InvitationId>().primaryKey(),
    organizationId: organizationId(),
    /** Null: for the organization alone. */
    teamId: text('team_id')
      .$type<TeamId>()
      .references(() => teams.id, { onDelete: 'cascade' }),
    /** In lower case: only who has this address may accept. */
    email: text().notNull(),
    role: text().$type<MemberRole>().notNull(),
    /** SHA-256 of what the link carries. Sending again makes a new one. */
    tokenHash: bytea('token_hash').notNull().unique(),
    status: text().$type<'pending' | 'accepted' | 'declined' | 'revoked'>().notNull().default('pending'),
    invitedBy: text('invited_by').notNull(),
    expiresAt: instant('expires_at').notNull(),
    createdAt: instant('created_at').notNull(),
    /** When it was accepted, declined or revoked. */
    endedAt: instant('ended_at'),
  },
  (table) => [
    index('invitations_organization').on(table.organizationId, table.id),
    index('invitations_email').on(table.email),
    uniqueIndex('invitations_pending')
      .on(table.organizationId, sql`coalesce(team_id, '')`, table.email)
      .where(sql`status = 'pending'`),
  ],
);

/** A customer of our user's app. Its files carry its id. */
export const tenants = pgTable(
  'tenants',
  {
    id: text().$type<TenantId>().primaryKey(),
    projectId: text('project_id')
      .$type<ProjectId>()
      .notNull()
      .references(() => projects.id, { onDelete: 'cascade' }),
    /** How the app names it; unique in the project. */
    externalId: text('external_id').notNull(),
    name: text().notNull(),
    /** Where its new files go; null: where the project's go. */
    bucketId: text('bucket_id')
      .$type<BucketId>()
      .references(() => buckets.id),
    /** Limits of its own; what is absent is not limited here. */
    quotas: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    metadata: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    /** Suspended tenants read, and write nothing. */
    suspendedAt: instant('suspended_at'),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [
    uniqueIndex('tenants_external_id').on(table.projectId, table.externalId),
    index('tenants_project').on(table.projectId, table.id),
  ],
);

/** Buckets that a project may use beside the one where its new files go. */
export const projectBuckets = pgTable(
  'project_buckets',
  {
    projectId: text('project_id')
      .$type<ProjectId>()
      .notNull()
      .references(() => projects.id, { onDelete: 'cascade' }),
    bucketId: text('bucket_id')
      .$type<BucketId>()
      .notNull()
      .references(() => buckets.id),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.projectId, table.bucketId] }),
    index('project_buckets_bucket').on(table.bucketId),
  ],
);

/** What a team may do with a bucket of its organization. */
export const bucketShares = pgTable(
  'bucket_shares',
  {
    bucketId: text('bucket_id')
      .$type<BucketId>()
      .notNull()
      .references(() => buckets.id, { onDelete: 'cascade' }),
    teamId: text('team_id')
      .$type<TeamId>()
      .notNull()
      .references(() => teams.id, { onDelete: 'cascade' }),
    access: text().$type<'read-only' | 'read-write' | 'admin'>().notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.bucketId, table.teamId] }), index('bucket_shares_team').on(table.teamId)],
);
