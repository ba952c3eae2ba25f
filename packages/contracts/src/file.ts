import { z } from 'zod';
import {
  ByteCount,
  Metadata,
  queryBoolean,
  queryInteger,
  StorableText,
  Tags,
  Timestamp,
  Visibility,
} from './common.ts';
import { FileFacts } from './media/file-facts.ts';
import { FilePath } from './path.ts';

/** A file as every answer shows it. */
export const File = z.object({
  id: z.string(),
  key: z.string().describe('the unguessable name in /f/{key}; never changes'),
  name: z.string(),
  path: z.string(),
  size: ByteCount,
  contentType: z.string().describe('decided from the bytes'),
  declaredContentType: z.string().nullable(),
  sha256: z.string().nullable().describe('hex; null until known'),
  md5: z.string().nullable().describe('hex; null until known'),
  visibility: Visibility,
  version: z.number().int(),
  url: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  tags: z.array(z.string()),
  tenantId: z.string().nullable(),
  bucketId: z.string(),
  uploadedBy: z.string().nullable(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
  deletedAt: Timestamp.nullable().describe('in the trash since'),
});
export type File = z.infer<typeof File>;

/** One file, with what is known of its content. */
export const FileDetail = File.extend({
  facts: FileFacts.nullable().describe('what its bytes say; null until known, and for types that say nothing'),
  madeOf: z
    .object({
      fileId: z.string(),
      version: z.number().int(),
      jobId: z.string().nullable(),
      step: z.record(z.string(), z.unknown()),
    })
    .nullable()
    .describe('the file that a transform has made it of'),
  quarantine: z
    .object({
      state: z.enum(['pending', 'infected', 'unscannable', 'rejected']),
      reason: z.string().nullable().describe('what was found'),
    })
    .nullable()
    .describe('why its content is not served; null: it is'),
});
export type FileDetail = z.infer<typeof FileDetail>;

export const FILE_SORTS = ['createdAt', 'updatedAt', 'name', 'size', 'path'] as const;
export type FileSort = (typeof FILE_SORTS)[number] | `-${(typeof FILE_SORTS)[number]}`;

const sortValues = FILE_SORTS.flatMap((field) => [field, `-${field}`]) as [FileSort, ...FileSort[]];
/** A number of seconds, with a fraction or not, as digits. */
const querySeconds = z
  .string()
  .regex(/^\d{1,9}(\.\d{1,6})?$/)
  .transform(Number);
const instant = z.iso.datetime({ offset: true });

/** A folder in a question: no path of a file ends in "/", so one at its end means nothing. */
const FolderPath = StorableText.max(1024).transform((folder) => folder.replace(/\/$/, ''));

export const ListFilesQuery = z.object({
  projectId: z.string().optional(),
  limit: queryInteger(1, 1000).default(50),
  cursor: z.string().max(4096).optional(),
  sort: z.enum(sortValues).default('-createdAt'),
  status: z.enum(['live', 'trashed']).default('live'),
  folder: FolderPath.optional().describe('only files in this folder; "" is the top'),
  recursive: queryBoolean.default(false).describe('with folder: files below it too'),
  type: z
    .string()
    .regex(/^[\w.+-]+\/([\w.+-]+|\*)$/)
    .optional()
    .describe('image/png, or a family: image/*'),
  minSize: queryInteger(0, Number.MAX_SAFE_INTEGER).optional(),
  maxSize: queryInteger(0, Number.MAX_SAFE_INTEGER).optional(),
  createdAfter: instant.optional().describe('at this instant or later'),
  createdBefore: instant.optional().describe('earlier than this instant'),
  tag: StorableText.max(64).optional(),
  tenantId: z.string().max(64).optional().describe('files of this tenant only'),
  uploader: StorableText.max(100).optional(),
  q: StorableText.min(1).max(200).optional().describe('part of the name, any case'),
  minDuration: querySeconds.optional().describe('seconds; as all that follows, once the facts of a file are known'),
  maxDuration: querySeconds.optional(),
  minWidth: queryInteger(0, 1_000_000).optional(),
  maxWidth: queryInteger(0, 1_000_000).optional(),
  minHeight: queryInteger(0, 1_000_000).optional(),
  maxHeight: queryInteger(0, 1_000_000).optional(),
  orientation: z.enum(['landscape', 'portrait', 'square']).optional(),
  color: z
    .string()
    .regex(/^[0-9a-f]{6}$/i)
    .optional()
    .describe('pictures whose dominant colour is near to it, such as ff8800'),
  colorDistance: queryInteger(1, 200).default(25).describe('with color: how far it may be, in CIE L*a*b*'),
  similarTo: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional()
    .describe('a perceptual hash: pictures that look alike'),
  maxDifference: queryInteger(0, 32).default(10).describe('with similarTo: bits of 64 that may differ'),
  text: StorableText.min(1).max(200).optional().describe('words that documents have, all of them'),
});
export type ListFilesQuery = z.infer<typeof ListFilesQuery>;

export const UpdateFileBody = z
  .strictObject({
    path: FilePath.optional(),
    name: FilePath.refine((name) => !name.includes('/'), { message: 'a name has no "/"; use path to move' }).optional(),
    visibility: Visibility.optional(),
    metadata: Metadata.optional(),
    tags: Tags.optional(),
  })
  .refine((body) => Object.keys(body).length > 0, { message: 'say at least one thing to change' })
  .refine((body) => !(body.path !== undefined && body.name !== undefined), { message: 'give path or name, not both' });
export type UpdateFileBody = z.infer<typeof UpdateFileBody>;

export const CopyFileBody = z.strictObject({ path: FilePath });
export type CopyFileBody = z.infer<typeof CopyFileBody>;

export const DeleteFileQuery = z.object({
  projectId: z.string().optional(),
  permanent: queryBoolean.default(false).describe('purge it instead of moving it to the trash'),
});
export type DeleteFileQuery = z.infer<typeof DeleteFileQuery>;

/** Where to, when the file's own path has been taken meanwhile. */
export const RestoreFileBody = z.strictObject({ path: FilePath.optional() });
export type RestoreFileBody = z.infer<typeof RestoreFileBody>;

export const Folder = z.object({
  path: z.string(),
  name: z.string(),
  files: z.number().int().describe('files in it and below'),
  bytes: ByteCount,
});
export type Folder = z.infer<typeof Folder>;

export const ListFoldersQuery = z.object({
  projectId: z.string().optional(),
  folder: FolderPath.default('').describe('whose immediate subfolders; "" is the top'),
  tenantId: z.string().max(64).optional().describe('count files of this tenant only'),
  limit: queryInteger(1, 1000).default(100),
  cursor: z.string().max(4096).optional(),
});
export type ListFoldersQuery = z.infer<typeof ListFoldersQuery>;

export const FileVersion = z.object({
  version: z.number().int(),
  current: z.boolean(),
  size: ByteCount,
  contentType: z.string(),
  sha256: z.string().nullable(),
  url: z.string(),
  createdBy: z.string().nullable(),
  createdAt: Timestamp,
});
export type FileVersion = z.infer<typeof FileVersion>;

export const ListVersionsQuery = z.object({
  projectId: z.string().optional(),
  limit: queryInteger(1, 1000).default(100),
  cursor: z.string().max(4096).optional(),
});
export type ListVersionsQuery = z.infer<typeof ListVersionsQuery>;

/** Largest bulk request. */
export const MAX_BULK_ITEMS = 1000;
const target = z.strictObject({ id: z.string() });
const bulk = <Action extends string, Item extends z.ZodType>(action: Action, item: Item) =>
  z.strictObject({ action: z.literal(action), items: z.array(item).min(1).max(MAX_BULK_ITEMS) });

export const BulkFilesBody = z.discriminatedUnion('action', [
  bulk('delete', target),
  bulk('purge', target),
  bulk('restore', target),
  bulk('move', z.strictObject({ id: z.string(), path: FilePath })),
  bulk('copy', z.strictObject({ id: z.string(), path: FilePath })),
  bulk(
    'update',
    z.strictObject({
      id: z.string(),
      visibility: Visibility.optional(),
      metadata: Metadata.optional(),
      tags: Tags.optional(),
    }),
  ),
]);
export type BulkFilesBody = z.infer<typeof BulkFilesBody>;

export const BulkResult = z.object({
  results: z.array(
    z.object({
      id: z.string(),
      ok: z.boolean(),
      file: File.optional(),
      error: z.object({ error: z.string(), message: z.string() }).optional(),
    }),
  ),
});
export type BulkResult = z.infer<typeof BulkResult>;

/** Longest life of a signed address: seven days, as at S3. */
export const MAX_SIGNED_URL_SECONDS = 604_800;

export const SignedUrlBody = z.strictObject({
  expiresIn: z.number().int().min(1).max(MAX_SIGNED_URL_SECONDS).default(3600).describe('seconds'),
  download: z.boolean().default(false),
  version: z.number().int().min(1).optional(),
});
export const SignedUrl = z.object({ url: z.string(), expiresAt: Timestamp });
