import type { ApiKeyId, CallbackId, FileId, ProjectId, UploadId } from '@carcosa/kernel';
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { projects } from './control.ts';
import { files } from './files.ts';
import { byteText, instant } from './types.ts';

export type SignedUploadState = 'waiting' | 'uploading' | 'uploaded' | 'failed';
export type CallbackState = 'pending' | 'delivered' | 'failed';

/** A file that an app of ours let somebody upload, by an address that the app signed itself; and what the app wants to hear of it. */
export const signedUploads = pgTable(
  'signed_uploads',
  {
    projectId: text('project_id')
      .$type<ProjectId>()
      .notNull()
      .references(() => projects.id, { onDelete: 'cascade' }),
    /** Chosen by the app; the key of the file too, unless the address names a path where a file is already. */
    key: byteText('key').notNull(),
    state: text().$type<SignedUploadState>().notNull(),
    error: text(),
    /** Whose secret signed. */
    apiKeyId: text('api_key_id').$type<ApiKeyId>(),
    /** The signature of the address: another one begins anew. */
    signature: text(),
    uploadId: text('upload_id').$type<UploadId>(),
    /** Null until there is a file, and gone with it. */
    fileId: text('file_id')
      .$type<FileId>()
      .references(() => files.id, { onDelete: 'cascade' }),
    customId: text('custom_id'),
    name: text(),
    size: bigint({ mode: 'number' }),
    type: text(),
    slug: text(),
    lastModified: bigint('last_modified', { mode: 'number' }),
    /** What the middleware of the app gave out, for its callback. Null until the app has told. */
    metadata: jsonb().$type<Record<string, unknown>>(),
    callbackUrl: text('callback_url'),
    isDev: boolean('is_dev').notNull().default(false),
    awaitServerData: boolean('await_server_data').notNull().default(false),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.projectId, table.key] }),
    uniqueIndex('signed_uploads_custom').on(table.projectId, table.customId).where(sql`custom_id is not null`),
    index('signed_uploads_file').on(table.fileId).where(sql`file_id is not null`),
    index('signed_uploads_unsettled').on(table.updatedAt).where(sql`state in ('waiting', 'uploading')`),
  ],
);

/** One word to an app about one upload: that it is whole, or that it failed. Kept when it is done, so that one can look why. */
export const callbacks = pgTable(
  'callbacks',
  {
    id: text().$type<CallbackId>().primaryKey(),
    projectId: text('project_id')
      .$type<ProjectId>()
      .notNull()
      .references(() => projects.id, { onDelete: 'cascade' }),
    uploadId: text('upload_id').$type<UploadId>().notNull(),
    fileKey: byteText('file_key').notNull(),
    hook: text().$type<'callback' | 'error'>().notNull(),
    url: text().notNull(),
    payload: text().notNull(),
    /** Whose secret signs it. */
    apiKeyId: text('api_key_id').$type<ApiKeyId>().notNull(),
    /** Goes out by the stream that the app holds open, not by a request. */
    isDev: boolean('is_dev').notNull(),
    state: text().$type<CallbackState>().notNull(),
    attempts: integer().notNull().default(0),
    nextAt: instant('next_at').notNull(),
    /** One process at a time sends it, until then by the database's clock. */
    claimedUntil: instant('claimed_until'),
    lastAt: instant('last_at'),
    lastStatus: smallint('last_status'),
    /** Why the last attempt does not count; null for one that does. */
    lastError: text('last_error'),
    /** What the app made of it. */
    result: jsonb().$type<unknown>(),
    resultError: text('result_error'),
    answeredAt: instant('answered_at'),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    uniqueIndex('callbacks_once').on(table.uploadId, table.hook),
    index('callbacks_project').on(table.projectId, table.id),
    index('callbacks_key').on(table.projectId, table.fileKey, table.id),
    index('callbacks_due').on(table.nextAt).where(sql`state = 'pending'`),
  ],
);
