import { z } from 'zod';
import { KeyRestrictions } from './access.ts';
import { PermissionName } from './api-key.ts';
import { Metadata, queryInteger, StorableText, Timestamp } from './common.ts';
import { FilePath } from './path.ts';

const ExternalId = StorableText.trim().min(1).max(200);
const TenantName = StorableText.trim().min(1).max(200);

/** A customer of our user's app. */
export const Tenant = z.object({
  id: z.string(),
  projectId: z.string(),
  externalId: z.string().describe('how the app names it; unique in the project'),
  name: z.string(),
  bucketId: z.string().nullable().describe('where its new files go; null: where those of the project go'),
  metadata: z.record(z.string(), z.unknown()),
  suspended: z.boolean().describe('reads, and writes nothing'),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type Tenant = z.infer<typeof Tenant>;

export const CreateTenantBody = z.strictObject({
  projectId: z.string().optional(),
  name: TenantName,
  externalId: ExternalId.optional().describe('default: the id that the tenant gets'),
  bucketId: z.string().nullable().default(null),
  metadata: Metadata.default({}),
});
export type CreateTenantBody = z.infer<typeof CreateTenantBody>;

export const UpdateTenantBody = z
  .strictObject({
    name: TenantName.optional(),
    externalId: ExternalId.optional(),
    bucketId: z.string().nullable().optional(),
    metadata: Metadata.optional(),
    suspended: z.boolean().optional(),
  })
  .refine((body) => Object.keys(body).length > 0, { message: 'say at least one thing to change' });
export type UpdateTenantBody = z.infer<typeof UpdateTenantBody>;

export const ListTenantsQuery = z.object({
  projectId: z.string().optional(),
  externalId: z.string().max(200).optional(),
  limit: queryInteger(1, 1000).default(50),
  cursor: z.string().max(4096).optional(),
});
export type ListTenantsQuery = z.infer<typeof ListTenantsQuery>;

/** Permissions that a browser of a customer may have: none of them reaches beyond the tenant's files. */
export const TENANT_PERMISSIONS = [
  'files:read',
  'files:write',
  'files:delete',
  'transforms:read',
  'transforms:execute',
  'usage:read',
] as const;

/** Longest life of a tenant token in seconds: a day. */
const MAX_TOKEN_SECONDS = 24 * 3600;

export const MintTokenBody = z.strictObject({
  permissions: z.array(z.enum(TENANT_PERMISSIONS)).min(1).default(['files:read']),
  pathPrefix: FilePath.optional().describe('only what is below this folder'),
  expiresIn: z.number().int().min(10).max(MAX_TOKEN_SECONDS).default(3600).describe('seconds'),
});
export type MintTokenBody = z.infer<typeof MintTokenBody>;

export const MintedToken = z.object({ token: z.string(), tenantId: z.string(), expiresAt: Timestamp });
export type MintedToken = z.infer<typeof MintedToken>;

export const ValidateTokenBody = z.strictObject({ token: z.string().min(1).max(8192) });

/** What a credential is and may. Says no more of one that does not count than that. */
export const TokenFacts = z.object({
  valid: z.boolean(),
  type: z.enum(['api-key', 'tenant-token', 'access-token']).optional(),
  id: z.string().optional(),
  projectId: z.string().optional(),
  tenantId: z.string().optional(),
  userId: z.string().optional(),
  permissions: z.array(PermissionName).optional(),
  restrictions: KeyRestrictions.optional(),
});
export type TokenFacts = z.infer<typeof TokenFacts>;
