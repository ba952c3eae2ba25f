import { z } from 'zod';
import { MemberRole } from './access.ts';
import { Email } from './auth.ts';
import { queryInteger, StorableText, Timestamp } from './common.ts';

export const Name = StorableText.trim().min(1).max(100);

/** A name for addresses and folders: lower-case letters, digits and inner hyphens. */
export const Slug = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
  .describe('1 to 63 lower-case letters, digits and inner hyphens');

/** The first slug that a name suggests; "x" where it has no letter or digit of ASCII. */
export function slugOf(name: string): string {
  const slug = name
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
  return slug === '' ? 'x' : slug;
}

export const ListQuery = z.object({
  limit: queryInteger(1, 1000).default(50),
  cursor: z.string().max(4096).optional(),
});
export type ListQuery = z.infer<typeof ListQuery>;

export const Organization = z.object({
  id: z.string(),
  name: z.string(),
  slug: z.string(),
  plan: z.string().nullable(),
  role: MemberRole.nullable().describe('what you are in it'),
  createdAt: Timestamp,
});
export type Organization = z.infer<typeof Organization>;

export const CreateOrganizationBody = z.strictObject({ name: Name, slug: Slug.optional() });
export type CreateOrganizationBody = z.infer<typeof CreateOrganizationBody>;
export const UpdateOrganizationBody = z.strictObject({ name: Name });
export type UpdateOrganizationBody = z.infer<typeof UpdateOrganizationBody>;

export const Member = z.object({
  userId: z.string(),
  email: z.string(),
  name: z.string(),
  role: MemberRole,
  createdAt: Timestamp,
});
export type Member = z.infer<typeof Member>;

export const SetRoleBody = z.strictObject({ role: MemberRole });
export type SetRoleBody = z.infer<typeof SetRoleBody>;
export const TransferBody = z.strictObject({ userId: z.string() });

export const Team = z.object({
  id: z.string(),
  organizationId: z.string(),
  name: z.string(),
  slug: z.string(),
  role: MemberRole.nullable().describe('what you are in it'),
  createdAt: Timestamp,
});
export type Team = z.infer<typeof Team>;

export const CreateTeamBody = z.strictObject({ organizationId: z.string(), name: Name, slug: Slug.optional() });
export type CreateTeamBody = z.infer<typeof CreateTeamBody>;
export const UpdateTeamBody = z.strictObject({ name: Name });
export const ListTeamsQuery = ListQuery.extend({ organizationId: z.string().optional() });
export type ListTeamsQuery = z.infer<typeof ListTeamsQuery>;

export const Invitation = z.object({
  id: z.string(),
  organizationId: z.string(),
  teamId: z.string().nullable(),
  email: z.string(),
  role: MemberRole,
  status: z.enum(['pending', 'accepted', 'declined', 'revoked', 'expired']),
  invitedBy: z.string(),
  expiresAt: Timestamp,
  createdAt: Timestamp,
});
export type Invitation = z.infer<typeof Invitation>;

export const InviteBody = z.strictObject({
  email: Email,
  role: MemberRole.default('member'),
  teamId: z.string().optional(),
});
export type InviteBody = z.infer<typeof InviteBody>;

/** What a link of an invitation carries. */
export const InvitationTokenBody = z.strictObject({ token: z.string().min(20).max(200) });

/** What somebody who holds the link may know before accepting. */
export const InvitationPreview = z.object({
  organization: z.object({ id: z.string(), name: z.string() }),
  team: z.object({ id: z.string(), name: z.string() }).nullable(),
  email: z.string(),
  role: MemberRole,
  expiresAt: Timestamp,
});
export type InvitationPreview = z.infer<typeof InvitationPreview>;
