import type { BucketId, ObjectId, ProjectId, TenantId, UploadId } from '@carcosa/kernel';
import { sql } from 'drizzle-orm';
import { bigint, index, integer, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { buckets, projects } from './control.ts';
import { byteText, instant } from './types.ts';

const bytes = (name: string) => bigint(name, { mode: 'number' });

export type UploadDoor = 'simple' | 'tus' | 'direct' | 'signed';
export type UploadStatus = 'open' | 'completed' | 'aborted' | 'expired';

/** One upload through any door: what will become of it, how far it is, and who may write to it now. */
export const uploads = pgTable(
  'uploads',
  {
    id: text().$type<UploadId>().primaryKey(),
    projectId: text('project_id')
      .$type<ProjectId>()
      .notNull()
      .references(() => projects.id),
    tenantId: text('tenant_id').$type<TenantId | ''>().notNull().default(''),
    bucketId: text('bucket_id')
      .$type<BucketId>()
      .notNull()
      .references(() => buckets.id),
    door: text().$type<UploadDoor>().notNull(),
    status: text().$type<UploadStatus>().notNull(),

    path: byteText('path').notNull(),
    /** Null where the client did not say: a new version keeps what the file has. */
    visibility: text().$type<'public' | 'private'>(),
    metadata: jsonb().$type<Record<string, unknown>>(),
    declaredContentType: text('declared_content_type'),
    /** `sha256:<hex>` of the whole content, as the client declared it. */
    checksum: text(),
    createdBy: text('created_by'),

    /** Ids of organization, project and tenant whose quotas hold a reservation of `size` for this upload. */
    quotaScopes: text('quota_scopes').array(),

    /** Whole length in bytes; null while a tus client defers it. */
    size: bytes('size'),
    /** Bytes on stable storage: never ahead of them. */
    offset: bytes('offset').notNull().default(0),
    objectId: text('object_id').$type<ObjectId>().notNull(),
    storageKey: text('storage_key').notNull(),
    /** The adapter's StagedRef, null until the first byte. */
    staged: jsonb().$type<Record<string, unknown>>(),
    /** What only one door needs: tus's metadata header and concatenation, direct's strategy and part size. */
    doorState: jsonb('door_state').$type<Record<string, unknown>>().notNull().default({}),

    /** The process that may write, null when released. */
    leaseOwner: text('lease_owner'),
    /** Rises with each lease: what an earlier holder writes afterwards is refused. */
    leaseFence: bigint('lease_fence', { mode: 'number' }).notNull().default(0),
    /** By the database's clock, which all nodes share. */
    leaseUntil: instant('lease_until'),

    createdAt: instant('created_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    /** When what is staged may be removed; null when nothing is. */
    collectAfter: instant('collect_after'),
  },
  (table) => [
    index('uploads_open').on(table.projectId, table.createdAt, table.id).where(sql`status = 'open'`),
    index('uploads_collect').on(table.collectAfter).where(sql`collect_after is not null`),
    index('uploads_ended').on(table.expiresAt).where(sql`status <> 'open' and collect_after is null`),
  ],
);

/** Parts of a direct upload that went through us, on stable storage. */
export const uploadParts = pgTable(
  'upload_parts',
  {
    uploadId: text('upload_id')
      .$type<UploadId>()
      .notNull()
      .references(() => uploads.id, { onDelete: 'cascade' }),
    partNumber: integer('part_number').notNull(),
    size: bytes('size').notNull(),
    /** Null while the part is being written. */
    etag: text(),
    /** Who writes it, and until when that counts: by the database's clock. */
    writer: text(),
    writingUntil: instant('writing_until'),
  },
  (table) => [primaryKey({ columns: [table.uploadId, table.partNumber] })],
);
