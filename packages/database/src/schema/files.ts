import type { BucketId, FileId, ObjectId, ProjectId, TenantId } from '@carcosa/kernel';
import { sql } from 'drizzle-orm';
import { bigint, index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { buckets, projects } from './control.ts';
import { bytea, byteText, instant } from './types.ts';

const bytes = (name: string) => bigint(name, { mode: 'number' });

/** Bytes in a bucket, written once and never changed. Versions and copies of files point at them. */
export const objects = pgTable(
  'objects',
  {
    id: text().$type<ObjectId>().primaryKey(),
    projectId: text('project_id')
      .$type<ProjectId>()
      .notNull()
      .references(() => projects.id),
    bucketId: text('bucket_id')
      .$type<BucketId>()
      .notNull()
      .references(() => buckets.id),
    storageKey: text('storage_key').notNull(),
    size: bytes('size').notNull(),
    /** Decided from the bytes. */
    contentType: text('content_type').notNull(),
    /** As the client declared it. */
    declaredContentType: text('declared_content_type'),
    sha256: bytea(),
    md5: bytea(),
    createdAt: instant('created_at').notNull(),
    /** Why it is not served; null: it is. */
    quarantine: text().$type<'pending' | 'infected' | 'unscannable' | 'rejected'>(),
    /** What was found, for a person. */
    quarantineReason: text('quarantine_reason'),
  },
  (table) => [
    index('objects_sha256').on(table.projectId, table.sha256),
    index('objects_bucket').using('brin', table.bucketId.op('text_bloom_ops')),
  ],
);

/** A path of a project with its present content. The facts of the current object stand here too, so that a listing reads one table. */
export const files = pgTable(
  'files',
  {
    id: text().$type<FileId>().primaryKey(),
    /** Held by the object, which is in the same project and refers to it. */
    projectId: text('project_id').$type<ProjectId>().notNull(),
    /** Empty for files that belong to no tenant, so that one unique index covers both. */
    tenantId: text('tenant_id').$type<TenantId | ''>().notNull().default(''),
    /** The unguessable name in `/f/{key}`; never changes. */
    key: byteText('key').notNull(),
    path: byteText('path').notNull(),
    /** The path up to its last "/", without it; empty at the top. */
    folder: byteText('folder').notNull(),
    name: byteText('name').notNull(),
    visibility: text().$type<'public' | 'private'>().notNull(),
    metadata: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    tags: text().array().notNull().default([]),
    uploadedBy: text('uploaded_by'),
    version: integer().notNull(),
    objectId: text('object_id')
      .$type<ObjectId>()
      .notNull()
      .references(() => objects.id),
    bucketId: text('bucket_id').$type<BucketId>().notNull(),
    size: bytes('size').notNull(),
    contentType: byteText('content_type').notNull(),
    declaredContentType: text('declared_content_type'),
    sha256: bytea(),
    md5: bytea(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
    /** In the trash since. */
    deletedAt: instant('deleted_at'),
  },
  (table) => [
    uniqueIndex('files_key').on(table.key),
    // The path stands before the tenant, so that the index also serves prefixes of a whole project. Its migration includes the
    // size (Drizzle cannot say so): folders are then counted without a look at the table.
    uniqueIndex('files_path').on(table.projectId, table.path, table.tenantId).where(sql`deleted_at is null`),
    index('files_created').on(table.projectId, table.createdAt, table.id).where(sql`deleted_at is null`),
    index('files_updated').on(table.projectId, table.updatedAt, table.id).where(sql`deleted_at is null`),
    index('files_name').on(table.projectId, table.name, table.id).where(sql`deleted_at is null`),
    index('files_size').on(table.projectId, table.size, table.id).where(sql`deleted_at is null`),
    index('files_folder').on(table.projectId, table.folder, table.createdAt, table.id).where(sql`deleted_at is null`),
    index('files_tenant')
      .on(table.projectId, table.tenantId, table.createdAt, table.id)
      .where(sql`deleted_at is null and tenant_id <> ''`),
    index('files_type')
      .on(table.projectId, table.contentType, table.createdAt, table.id)
      .where(sql`deleted_at is null`),
    index('files_uploader')
      .on(table.projectId, table.uploadedBy, table.createdAt, table.id)
      .where(sql`deleted_at is null`),
    index('files_tags').using('gin', table.tags).where(sql`deleted_at is null`),
    // In the database's own locale: that of bytes, which names are ordered by, knows the case of ASCII alone. Over the trash too:
    // the planner takes no statistics of an expression from a partial index, and without them it reads whole projects instead.
    index('files_name_search').using('gin', sql`lower(name collate "default") gin_trgm_ops`),
    index('files_trash').on(table.projectId, table.deletedAt, table.id).where(sql`deleted_at is not null`),
    index('files_trash_created').on(table.projectId, table.createdAt, table.id).where(sql`deleted_at is not null`),
    index('files_object').on(table.objectId),
  ],
);

/** Every content that a file has had, the present one included. */
export const fileVersions = pgTable(
  'file_versions',
  {
    fileId: text('file_id')
      .$type<FileId>()
      .notNull()
      .references(() => files.id, { onDelete: 'cascade' }),
    version: integer().notNull(),
    objectId: text('object_id')
      .$type<ObjectId>()
      .notNull()
      .references(() => objects.id),
    createdBy: text('created_by'),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.fileId, table.version] }), index('file_versions_object').on(table.objectId)],
);

/**
 * Bytes that nothing refers to any more, written in the transaction that dropped the last reference. The row goes when the
 * bytes are gone, so that a crash in between loses no trace of them.
 */
export const objectDeletions = pgTable(
  'object_deletions',
  {
    id: text().$type<ObjectId>().primaryKey(),
    bucketId: text('bucket_id')
      .$type<BucketId>()
      .notNull()
      .references(() => buckets.id),
    storageKey: text('storage_key').notNull(),
    size: bytes('size').notNull(),
    dueAt: instant('due_at').notNull(),
    attempts: integer().notNull().default(0),
    lastError: text('last_error'),
  },
  (table) => [index('object_deletions_due').on(table.dueAt)],
);
