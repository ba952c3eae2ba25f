import type { FileId, ObjectId, ProjectId } from '@carcosa/kernel';
import { sql } from 'drizzle-orm';
import {
  bigserial,
  boolean,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  real,
  text,
} from 'drizzle-orm/pg-core';
import { projects } from './control.ts';
import { files, objects } from './files.ts';
import { instant } from './types.ts';

/** What is known of contents. Of the object and not of the file: copies and restored versions share it. */
export const fileFacts = pgTable('file_facts', {
  objectId: text('object_id')
    .$type<ObjectId>()
    .primaryKey()
    .references(() => objects.id, { onDelete: 'cascade' }),
  projectId: text('project_id').$type<ProjectId>().notNull(),
  /** What everybody may know. */
  facts: jsonb().$type<Record<string, unknown>>().notNull(),
  /** Where it was made: only for those who may read the file by a key. */
  location: jsonb().$type<Record<string, unknown>>(),
  /** The text of a document. */
  content: text(),
  width: integer(),
  height: integer(),
  orientation: text(),
  /** Seconds. */
  duration: doublePrecision(),
  pages: integer(),
  /** The dominant colour in CIE L*a*b*. */
  colorL: real('color_l'),
  colorA: real('color_a'),
  colorB: real('color_b'),
  /** The migration has it as bit(64). */
  perceptualHash: text('perceptual_hash'),
  readAt: instant('read_at').notNull(),
});

/** Contents that have come and that something is to be done with; a worker turns each into jobs. */
export const arrivals = pgTable('arrivals', {
  position: bigserial({ mode: 'number' }).primaryKey(),
  fileId: text('file_id').$type<FileId>().notNull(),
  version: integer().notNull(),
  objectId: text('object_id').$type<ObjectId>().notNull(),
  /** Made by a transform: nothing more is made of it by itself. */
  isResult: boolean('is_result').notNull(),
});

export const transformJobs = pgTable(
  'transform_jobs',
  {
    id: text().primaryKey(),
    kind: text().$type<'file' | 'batch'>().notNull(),
    projectId: text('project_id')
      .$type<ProjectId>()
      .notNull()
      .references(() => projects.id, { onDelete: 'cascade' }),
    tenantId: text('tenant_id').notNull().default(''),
    fileId: text('file_id').$type<FileId>(),
    version: integer(),
    /** Of the file, or the folder that all files of a batch are in. */
    path: text(),
    origin: text().$type<'request' | 'arrival'>().notNull(),
    status: text().notNull(),
    progress: real().notNull().default(0),
    step: text(),
    input: jsonb().notNull(),
    results: jsonb().notNull().default([]),
    error: jsonb(),
    cancelRequested: boolean('cancel_requested').notNull().default(false),
    /** Who works on it, anew with each attempt: what an earlier one notes afterwards is refused. */
    runner: text(),
    createdBy: text('created_by').notNull(),
    createdAt: instant('created_at').notNull(),
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
  },
  (table) => [
    index('transform_jobs_project').on(table.projectId, table.id),
    index('transform_jobs_file').on(table.fileId, table.id).where(sql`file_id is not null`),
  ],
);

/** The files of a batch, each with its outcome. */
export const transformJobItems = pgTable(
  'transform_job_items',
  {
    jobId: text('job_id')
      .notNull()
      .references(() => transformJobs.id, { onDelete: 'cascade' }),
    position: integer().notNull(),
    fileId: text('file_id').$type<FileId>().notNull(),
    version: integer().notNull(),
    path: text().notNull(),
    status: text().notNull(),
    results: jsonb().notNull().default([]),
    error: jsonb(),
    finishedAt: instant('finished_at'),
  },
  (table) => [
    primaryKey({ columns: [table.jobId, table.position] }),
    index('transform_job_items_open').on(table.jobId, table.position).where(sql`status = 'waiting'`),
  ],
);

/** What files were made of. */
export const fileOrigins = pgTable(
  'file_origins',
  {
    fileId: text('file_id')
      .$type<FileId>()
      .notNull()
      .references(() => files.id, { onDelete: 'cascade' }),
    version: integer().notNull(),
    sourceFileId: text('source_file_id').notNull(),
    sourceVersion: integer('source_version').notNull(),
    jobId: text('job_id'),
    step: jsonb().notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.fileId, table.version] }),
    index('file_origins_source').on(table.sourceFileId),
  ],
);
