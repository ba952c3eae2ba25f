import { z } from 'zod';
import { queryInteger, Timestamp } from './common.ts';
import { FilePath } from './path.ts';

const PresetName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/)
  .describe('a letter, then up to 63 letters, digits and "-"');
const Steps = z.string().min(1).max(2000).describe('the short form, such as w_800,h_600,f_webp');

/** Steps that a project keeps by a name. */
export const TransformPreset = z.object({
  id: z.string(),
  projectId: z.string(),
  name: z.string(),
  steps: z.string().describe('in their canonical form'),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type TransformPreset = z.infer<typeof TransformPreset>;

export const CreateTransformPresetBody = z.strictObject({
  projectId: z.string().optional(),
  name: PresetName,
  steps: Steps,
});
export type CreateTransformPresetBody = z.infer<typeof CreateTransformPresetBody>;

export const UpdateTransformPresetBody = z
  .strictObject({ name: PresetName.optional(), steps: Steps.optional() })
  .refine((body) => Object.keys(body).length > 0, { message: 'say at least one thing to change' });
export type UpdateTransformPresetBody = z.infer<typeof UpdateTransformPresetBody>;

export const ListTransformPresetsQuery = z.strictObject({
  projectId: z.string().optional(),
  limit: queryInteger(1, 200).default(50),
  cursor: z.string().max(500).optional(),
});
export type ListTransformPresetsQuery = z.infer<typeof ListTransformPresetsQuery>;

/** A picture by its path in the project, or by the address that it has elsewhere. */
export const SignTransformBody = z
  .strictObject({
    projectId: z.string().optional(),
    path: FilePath.optional(),
    url: z
      .url({ protocol: /^https?$/ })
      .max(2048)
      .optional()
      .describe('instead of a path: a picture at a host that the project allows'),
    tenantId: z.string().max(64).optional(),
    version: z.number().int().min(1).optional().describe('absent: whatever version is the present one'),
    steps: Steps,
    expiresIn: z.number().int().min(1).max(31_536_000).optional().describe('seconds; absent: the address does not end'),
  })
  .refine(({ path, url }) => (path === undefined) !== (url === undefined), { message: 'give either path or url' })
  .refine(({ url, tenantId, version }) => url === undefined || (tenantId === undefined && version === undefined), {
    message: 'what lies elsewhere has neither tenant nor version',
  });
export type SignTransformBody = z.infer<typeof SignTransformBody>;

export const SignedTransform = z.object({
  url: z.string().describe('the short form; opens private files too'),
  expiresAt: Timestamp.nullable(),
});
export type SignedTransform = z.infer<typeof SignedTransform>;

/** For those who sign addresses themselves, as docs/transforms.md says. */
export const TransformKey = z.object({
  key: z.string().describe('32 bytes in base64url: the key of HMAC-SHA-256'),
  version: z.number().int().describe('rises when the signing key of the project is rotated'),
});
export type TransformKey = z.infer<typeof TransformKey>;

const count = (meaning: string) => z.number().int().describe(meaning);

/** What this process did with pictures since it began. */
export const TransformStatistics = z.object({
  hits: z.object({
    memory: count('results that were in memory'),
    disk: count('results that were read from disk'),
    shared: count('requests that waited for a result that another had asked for'),
  }),
  misses: count('results that had to be made'),
  failed: count('results that could not be made'),
  reduced: z.object({
    made: count('smaller copies of originals that were kept'),
    used: count('results that were made of one'),
  }),
  cache: z.object({
    entries: z.number().int(),
    bytes: z.number().int(),
    maxBytes: z.number().int(),
    memoryBytes: z.number().int(),
    evicted: count('results that went because others needed their room'),
    purged: count('results that were removed by call, or because their file was replaced or removed'),
  }),
  processes: z.object({
    working: z.number().int(),
    waiting: count('pictures that wait for a process'),
    refused: count('pictures that could not wait'),
    ended: z.object({ time: z.number().int(), memory: z.number().int(), crash: z.number().int() }),
  }),
});
export type TransformStatistics = z.infer<typeof TransformStatistics>;
