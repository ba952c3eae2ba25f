import { z } from 'zod';
import { queryInteger, StorableText, Timestamp } from '../common.ts';
import { OPERATION_STATUSES } from '../realtime.ts';
import { MAX_STEPS, MediaStep } from './media-step.ts';

/** Most files of a batch. */
export const MAX_BATCH_FILES = 100_000;

const steps = z.array(MediaStep).min(1).max(MAX_STEPS).describe('done one after the other, each from the source');

/** Which files a batch is about: all of the conditions hold. */
export const BatchSelection = z
  .strictObject({
    folder: StorableText.max(1024)
      .transform((folder) => folder.replace(/\/$/, ''))
      .optional()
      .describe('files in this folder; "" is the top'),
    recursive: z.boolean().default(true).describe('with folder: files below it too'),
    type: z
      .string()
      .regex(/^[\w.+-]+\/([\w.+-]+|\*)$/)
      .optional()
      .describe('image/png, or a family: image/*'),
    tag: StorableText.max(64).optional(),
    q: StorableText.min(1).max(200).optional().describe('part of the name, any case'),
    ids: z.array(z.string()).min(1).max(1000).optional(),
  })
  .refine(({ folder, type, tag, q, ids }) => [folder, type, tag, q, ids].some((each) => each !== undefined), {
    message: 'say which files: folder, type, tag, q or ids',
  });
export type BatchSelection = z.infer<typeof BatchSelection>;

export const CreateTransformJobBody = z
  .strictObject({
    projectId: z.string().optional(),
    fileId: z.string().optional().describe('the source; without it, `select` says which files'),
    version: z.number().int().min(1).optional().describe('of the source; absent: the present one'),
    select: BatchSelection.optional().describe('a batch: the same steps for each of many files'),
    steps,
    into: z
      .enum(['files', 'versions'])
      .default('files')
      .describe('versions: the result of the one step, of one file, becomes a new version of its source'),
  })
  .refine(({ fileId, select }) => (fileId === undefined) !== (select === undefined), {
    message: 'give either fileId or select',
  })
  .refine(({ into, steps: given }) => into === 'files' || (given.length === 1 && ONE_FILE.has(given[0]?.type ?? '')), {
    message: 'into "versions" takes one step that makes one file: image, transcode, trim or audio',
  });
export type CreateTransformJobBody = z.infer<typeof CreateTransformJobBody>;

const ONE_FILE: ReadonlySet<string> = new Set(['image', 'transcode', 'trim', 'audio']);

/** A file that a step has made. */
export const MadeFileView = z.object({
  id: z.string(),
  version: z.number().int(),
  path: z.string(),
  url: z.string(),
  contentType: z.string(),
  size: z.number().int(),
});
export type MadeFileView = z.infer<typeof MadeFileView>;

/** What a step has made. */
export const StepOutcome = z.object({
  type: z.string(),
  files: z.array(MadeFileView).describe('of a ladder or sheet, what players are given comes last'),
  data: z.record(z.string(), z.unknown()).optional().describe('what it found out, such as the loudness'),
});
export type StepOutcome = z.infer<typeof StepOutcome>;

const JobError = z.object({ error: z.string().describe('a code of docs/errors.md'), message: z.string() });

export const TransformJob = z.object({
  id: z.string(),
  kind: z.enum(['file', 'batch']),
  projectId: z.string(),
  tenantId: z.string().nullable(),
  fileId: z.string().nullable(),
  version: z.number().int().nullable(),
  origin: z.enum(['request', 'arrival']),
  status: z.enum(OPERATION_STATUSES),
  progress: z.number().describe('percent; 100 with `completed` alone'),
  step: z.string().nullable().describe('the one that is being done'),
  steps: z.array(z.record(z.string(), z.unknown())),
  results: z.array(StepOutcome).describe('of the steps that are done; of a batch, see its items'),
  items: z
    .object({ total: z.number().int(), completed: z.number().int(), failed: z.number().int() })
    .nullable()
    .describe('of a batch'),
  error: JobError.nullable(),
  createdBy: z.string(),
  createdAt: Timestamp,
  startedAt: Timestamp.nullable(),
  finishedAt: Timestamp.nullable(),
});
export type TransformJob = z.infer<typeof TransformJob>;

export const ListTransformJobsQuery = z.strictObject({
  projectId: z.string().optional(),
  fileId: StorableText.max(100).optional().describe('what is made of this file'),
  status: z.enum(OPERATION_STATUSES).optional(),
  limit: queryInteger(1, 200).default(50),
  cursor: z.string().max(500).optional(),
});
export type ListTransformJobsQuery = z.infer<typeof ListTransformJobsQuery>;

/** One file of a batch, and what became of it. */
export const TransformJobItem = z.object({
  position: z.number().int(),
  fileId: z.string(),
  version: z.number().int(),
  path: z.string(),
  status: z.enum(['waiting', 'completed', 'failed']),
  results: z.array(StepOutcome),
  error: JobError.nullable(),
  finishedAt: Timestamp.nullable(),
});
export type TransformJobItem = z.infer<typeof TransformJobItem>;

export const ListJobItemsQuery = z.strictObject({
  status: z.enum(['waiting', 'completed', 'failed']).optional(),
  limit: queryInteger(1, 1000).default(100),
  cursor: z.string().max(500).optional(),
});
export type ListJobItemsQuery = z.infer<typeof ListJobItemsQuery>;
