import { z } from 'zod';
import { KeyRestrictions } from './access.ts';
import { StorableText, Timestamp } from './common.ts';
import { PERMISSIONS } from './permissions.ts';

export const PermissionName = z.enum(PERMISSIONS);
const KeyName = StorableText.trim().min(1).max(100);
const Permissions = z
  .array(PermissionName)
  .min(1)
  .transform((names) => [...new Set(names)]);

/** A key as every answer shows it: never its secret. */
export const ApiKey = z.object({
  id: z.string(),
  projectId: z.string(),
  name: z.string(),
  start: z.string().describe('how the key begins, to know it again: sk_<public id>'),
  permissions: z.array(PermissionName),
  restrictions: KeyRestrictions,
  createdBy: z.string().nullable(),
  createdAt: Timestamp,
  lastUsedAt: Timestamp.nullable().describe('to the minute'),
  expiresAt: Timestamp.nullable().describe('null: never'),
  revokedAt: Timestamp.nullable(),
  rotatedTo: z.string().nullable().describe('the key that replaces it'),
  signs: z.boolean().describe('whether an app may sign addresses with it by itself'),
});
export type ApiKey = z.infer<typeof ApiKey>;

export const CreatedApiKey = ApiKey.extend({
  key: z.string().describe('the whole key; shown this one time'),
  uploadthingToken: z
    .string()
    .nullable()
    .describe('for UPLOADTHING_TOKEN, of a key that signs: it holds the key, and is shown this one time as well'),
});
export type CreatedApiKey = z.infer<typeof CreatedApiKey>;

export const CreateApiKeyBody = z.strictObject({
  projectId: z.string().optional(),
  name: KeyName,
  permissions: Permissions,
  restrictions: KeyRestrictions.default({}),
  expiresAt: z.iso.datetime({ offset: true }).nullable().default(null),
  signs: z
    .boolean()
    .default(false)
    .describe(
      'lets an app sign addresses with it (apps of UploadThing, file routers): then the key is kept sealed, not only as a hash',
    ),
});
export type CreateApiKeyBody = z.infer<typeof CreateApiKeyBody>;

export const UpdateApiKeyBody = z
  .strictObject({
    name: KeyName.optional(),
    permissions: Permissions.optional(),
    restrictions: KeyRestrictions.optional(),
    expiresAt: z.iso.datetime({ offset: true }).nullable().optional(),
  })
  .refine((body) => Object.keys(body).length > 0, { message: 'say at least one thing to change' });
export type UpdateApiKeyBody = z.infer<typeof UpdateApiKeyBody>;

/** Longest time that a key works on beside the one that replaces it, in seconds: 30 days. */
const MAX_OVERLAP = 30 * 24 * 3600;

export const RotateApiKeyBody = z.strictObject({
  overlapSeconds: z
    .number()
    .int()
    .min(0)
    .max(MAX_OVERLAP)
    .default(24 * 3600)
    .describe('how long the old key works on'),
});
export type RotateApiKeyBody = z.infer<typeof RotateApiKeyBody>;
