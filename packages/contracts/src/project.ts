import { z } from 'zod';
import { Origin } from './access.ts';
import { ByteCount, Timestamp, Visibility } from './common.ts';
import { RateLimitOverrides } from './limits.ts';
import { ArrivalRule, MAX_ARRIVAL_RULES } from './media/arrival-rule.ts';
import { ListQuery, Name, Slug } from './organization.ts';

const AllowedOrigins = z
  .array(Origin)
  .max(100)
  .nullable()
  .describe('origins of pages that may use keys and tokens of the project; null: any');
const AllowedTypes = z
  .array(z.string().regex(/^[a-z0-9.+-]+\/([a-z0-9.+-]+|\*)$/))
  .min(1)
  .max(100)
  .nullable()
  .describe('what the bytes of a file may be, as image/png or image/*; null: anything');
const MaxFileSize = ByteCount.min(1).nullable().describe('most bytes that a file may have; null: any number');

const OnArrival = z.array(ArrivalRule).max(MAX_ARRIVAL_RULES).describe('what is done by itself when a file has come');
const TransformAccess = z
  .enum(['open', 'presets', 'signed'])
  .describe(
    'what addresses of transforms may say without a signature: any steps, nothing but a preset, or nothing at all; keys with transforms:execute may always',
  );
const TransformWidths = z
  .array(z.number().int().min(1).max(8192))
  .min(1)
  .max(100)
  .nullable()
  .describe(
    'the only widths and heights of unsigned transforms, which then may say fit, gravity and format beside them; null: any steps',
  );
const TransformHosts = z
  .array(
    z
      .string()
      .max(253)
      .regex(/^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?(:\d{1,5})?$/),
  )
  .max(100)
  .describe('hosts from which pictures may be transformed by their address, as images.example.com or *.example.com');

/** What a project can be set to; each has a default. */
export const ProjectSettings = z.object({
  defaultVisibility: Visibility.default('private'),
  delivery: z
    .enum(['stream', 'redirect'])
    .default('stream')
    .describe('how files in a remote bucket are served: through us, or by redirect to a presigned address'),
  hashDirectUploads: z
    .boolean()
    .default(true)
    .describe('read direct uploads back in a job to learn their SHA-256 where the provider gives none'),
  trashRetentionDays: z.number().int().min(0).max(3650).default(30).describe('days until the trash is purged'),
  allowedOrigins: AllowedOrigins.default(null),
  allowedTypes: AllowedTypes.default(null),
  maxFileSize: MaxFileSize.default(null),
  onArrival: OnArrival.default([]),
  transformAccess: TransformAccess.default('open'),
  transformWidths: TransformWidths.default(null),
  transformHosts: TransformHosts.default([]),
  rateLimits: RateLimitOverrides.default({}).describe(
    'limits instead of those of the server; set by its administrators',
  ),
});
export type ProjectSettings = z.infer<typeof ProjectSettings>;

// Without the defaults: what is absent stays as it is.
const settingsPatch = z.strictObject({
  defaultVisibility: Visibility.optional(),
  delivery: z.enum(['stream', 'redirect']).optional(),
  hashDirectUploads: z.boolean().optional(),
  trashRetentionDays: z.number().int().min(0).max(3650).optional(),
  allowedOrigins: AllowedOrigins.optional(),
  allowedTypes: AllowedTypes.optional(),
  maxFileSize: MaxFileSize.optional(),
  onArrival: OnArrival.optional(),
  transformAccess: TransformAccess.optional(),
  transformWidths: TransformWidths.optional(),
  transformHosts: TransformHosts.optional(),
});

export const Project = z.object({
  id: z.string(),
  name: z.string(),
  slug: z.string(),
  organizationId: z.string(),
  teamId: z.string(),
  bucketId: z.string(),
  settings: ProjectSettings,
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type Project = z.infer<typeof Project>;

export const UpdateProjectBody = z
  .strictObject({ name: Name.optional(), settings: settingsPatch.optional(), bucketId: z.string().optional() })
  .refine((body) => Object.keys(body).length > 0, { message: 'say at least one thing to change' });
export type UpdateProjectBody = z.infer<typeof UpdateProjectBody>;

export const CreateProjectBody = z.strictObject({
  teamId: z.string(),
  name: Name,
  slug: Slug.optional(),
  bucketId: z.string().optional().describe('default: the first bucket that the team may write to'),
  settings: settingsPatch.optional(),
});
export type CreateProjectBody = z.infer<typeof CreateProjectBody>;

export const ListProjectsQuery = ListQuery.extend({
  organizationId: z.string().optional(),
  teamId: z.string().optional(),
});
export type ListProjectsQuery = z.infer<typeof ListProjectsQuery>;
