import { z } from 'zod';
import { ByteCount, Metadata, queryInteger, StorableText, Timestamp, Visibility } from './common.ts';
import { FilePath } from './path.ts';

/** Most parts that an upload can have, as at S3. */
export const MAX_PARTS = 10_000;

/** What a client may say of the content: compared with the bytes before anything says complete. */
export const Checksum = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/i)
  .transform((value) => value.toLowerCase())
  .describe('"sha256:<hex>" of the whole content');

/** How a client knows the content again after a reload or on another device; the server compares nothing but the text. */
export const Fingerprint = StorableText.min(1)
  .max(200)
  .describe('how the client knows the content again, to continue the upload later');

const FileName = z.string().min(1).max(1024);

export const InitUploadBody = z.strictObject({
  projectId: z.string().optional(),
  fileName: FileName,
  size: ByteCount,
  contentType: z.string().max(255).optional(),
  path: FilePath.optional(),
  checksum: Checksum.optional(),
  visibility: Visibility.optional(),
  metadata: Metadata.optional(),
  tenantId: z.string().optional(),
  fingerprint: Fingerprint.optional(),
  tus: z
    .boolean()
    .optional()
    .describe('the client speaks tus too: the strategy is `tus` where that is the better way to this bucket'),
});
export type InitUploadBody = z.infer<typeof InitUploadBody>;

export const InitUploadResult = z.object({
  uploadId: z.string(),
  strategy: z
    .enum(['single', 'multipart', 'tus'])
    .describe('tus, only for who asked for it: PATCH /api/v1/tus/{uploadId} from offset 0'),
  url: z.string().optional().describe('single: PUT the bytes here'),
  headers: z.record(z.string(), z.string()).optional().describe('single: send exactly these'),
  partSize: ByteCount.optional().describe('multipart: every part but the last has this many bytes'),
  partCount: z.number().int().optional(),
  expiresAt: Timestamp.describe('when the upload ends unfinished; addresses expire sooner and can be signed again'),
});
export type InitUploadResult = z.infer<typeof InitUploadResult>;

export const SignPartsBody = z.strictObject({
  partNumbers: z.array(z.number().int().min(1).max(MAX_PARTS)).min(1).max(1000),
});
export const SignedPart = z.object({
  partNumber: z.number().int(),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
});
export const SignPartsResult = z.object({ parts: z.array(SignedPart) });

export const CompleteUploadBody = z.strictObject({
  parts: z
    .array(z.object({ partNumber: z.number().int().min(1).max(MAX_PARTS), etag: z.string().min(1).max(200) }))
    .max(MAX_PARTS)
    .optional()
    .describe('as the provider answered; absent: all that it received'),
});

export const ReceivedPart = z.object({ partNumber: z.number().int(), size: ByteCount, etag: z.string() });

export const Upload = z.object({
  id: z.string(),
  door: z.enum(['simple', 'tus', 'direct', 'signed']),
  status: z.enum(['open', 'completed', 'aborted', 'expired']),
  path: z.string(),
  name: z.string(),
  size: ByteCount.nullable(),
  offset: ByteCount.describe('bytes on stable storage'),
  strategy: z.enum(['single', 'multipart']).optional(),
  partSize: ByteCount.optional(),
  partCount: z.number().int().optional(),
  parts: z.array(ReceivedPart).optional(),
  fingerprint: z.string().nullable().describe('as the client gave it when it began'),
  fileId: z.string().nullable(),
  createdAt: Timestamp,
  expiresAt: Timestamp,
});
export type Upload = z.infer<typeof Upload>;

export const ListUploadsQuery = z.object({
  projectId: z.string().optional(),
  status: z.literal('unfinished').default('unfinished'),
  fingerprint: Fingerprint.optional().describe('only uploads that began with it'),
  limit: queryInteger(1, 1000).default(50),
  cursor: z.string().max(4096).optional(),
});

export const CollectResult = z.object({
  uploads: z.number().int().describe('ended uploads whose bytes were removed'),
  objects: z.number().int().describe('stored objects that nothing referred to and that were removed'),
});
export type CollectResult = z.infer<typeof CollectResult>;
