import { z } from 'zod';
import { FilePath } from './path.ts';
import { PERMISSIONS, type Permission } from './permissions.ts';

/** What a member is in an organization or team, the mightiest first. */
export const MEMBER_ROLES = ['owner', 'admin', 'member', 'viewer'] as const;
export const MemberRole = z.enum(MEMBER_ROLES);
export type MemberRole = z.infer<typeof MemberRole>;

/** What each role may do in the projects of its team. Owners differ from admins in the organization itself, not in projects. */
export const ROLE_PERMISSIONS: Readonly<Record<MemberRole, readonly Permission[]>> = {
  owner: PERMISSIONS,
  admin: PERMISSIONS,
  member: [
    'files:read',
    'files:write',
    'files:delete',
    'transforms:read',
    'transforms:write',
    'transforms:delete',
    'transforms:execute',
    'projects:read',
    'api-keys:read',
    'tenants:manage',
    'usage:read',
  ],
  viewer: ['files:read', 'transforms:read', 'projects:read', 'usage:read'],
};

/** An address or a network in CIDR notation. */
export const NetworkRange = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);

/** A web origin: scheme, host and port, without a path. */
export const Origin = z
  .url({ protocol: /^https?$/ })
  .refine((text) => URL.parse(text)?.origin === text, { message: 'an origin such as https://app.example.com' });

/** What an API key is confined to beside its project. What is absent does not confine it. */
export const KeyRestrictions = z.strictObject({
  tenantId: z.string().optional().describe('files of this tenant only'),
  pathPrefix: FilePath.optional().describe('files below this folder only'),
  ipRanges: z.array(NetworkRange).min(1).max(50).optional().describe('callers at these addresses or networks only'),
  origins: z
    .array(Origin)
    .min(1)
    .max(50)
    .optional()
    .describe('pages of these origins only; a caller that sends no Origin is refused'),
});
export type KeyRestrictions = z.infer<typeof KeyRestrictions>;
