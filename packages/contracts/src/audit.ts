import { z } from 'zod';
import { queryInteger, StorableText, Timestamp } from './common.ts';

/**
 * All that an audit entry can say was done, by the kind of thing that it was done to. A refused attempt has the same action, and as
 * its result the code of the error.
 */
export const AUDIT_ACTIONS = {
  user: [
    'user.register',
    'user.update',
    'user.delete',
    'user.verify-email',
    'user.request-email-change',
    'user.change-email',
    'user.request-password-reset',
    'user.reset-password',
    'user.change-password',
    'user.enable-two-factor',
    'user.disable-two-factor',
    'user.regenerate-recovery-codes',
    'user.add-passkey',
    'user.remove-passkey',
    'user.link-account',
    'user.unlink-account',
    'user.grant-server-admin',
    'user.withdraw-server-admin',
  ],
  session: ['session.login', 'session.logout', 'session.refresh', 'session.revoke', 'session.reuse-detected'],
  organization: [
    'organization.create',
    'organization.update',
    'organization.delete',
    'organization.transfer',
    'organization.set-plan',
    'organization.set-quotas',
    'organization.set-prices',
    'organization.set-billing',
  ],
  team: ['team.create', 'team.update', 'team.delete'],
  member: ['member.add', 'member.update', 'member.remove', 'member.leave'],
  invitation: [
    'invitation.create',
    'invitation.accept',
    'invitation.decline',
    'invitation.revoke',
    'invitation.resend',
    'invitation.expire',
  ],
  project: [
    'project.create',
    'project.update',
    'project.delete',
    'project.restore',
    'project.purge',
    'project.rotate-signing-key',
    'project.set-quotas',
    'project.set-rate-limits',
    'project.add-bucket',
    'project.remove-bucket',
    'project.read-transform-key',
    'project.sign-transform',
    'project.purge-transforms',
  ],
  tenant: ['tenant.create', 'tenant.update', 'tenant.delete', 'tenant.suspend', 'tenant.resume', 'tenant.set-quotas'],
  token: ['token.create', 'token.revoke', 'token.validate'],
  'api-key': ['api-key.create', 'api-key.update', 'api-key.rotate', 'api-key.revoke', 'api-key.delete'],
  bucket: [
    'bucket.create',
    'bucket.update',
    'bucket.rotate-credentials',
    'bucket.test',
    'bucket.fix-cors',
    'bucket.delete',
    'bucket.share',
    'bucket.unshare',
    'bucket.reseal',
  ],
  file: [
    'file.create',
    'file.replace',
    'file.read',
    'file.update',
    'file.copy',
    'file.trash',
    'file.restore',
    'file.restore-version',
    'file.purge',
    'file.bulk',
    'file.sign-url',
    'file.purge-transforms',
    'file.analyze',
    'file.scan',
    'file.inspect',
    'file.quarantine',
  ],
  transform: ['transform.create', 'transform.start', 'transform.complete', 'transform.fail', 'transform.cancel'],
  upload: ['upload.create', 'upload.write', 'upload.complete', 'upload.abort'],
  webhook: [
    'webhook.create',
    'webhook.update',
    'webhook.rotate-secret',
    'webhook.test',
    'webhook.replay',
    'webhook.disable',
    'webhook.delete',
  ],
  preset: ['preset.create', 'preset.update', 'preset.delete'],
  callback: ['callback.replay', 'callback.fail'],
  alarm: ['alarm.create', 'alarm.update', 'alarm.delete', 'alarm.test', 'alarm.fire', 'alarm.resolve'],
  plan: ['plan.create', 'plan.update', 'plan.delete'],
  prices: ['prices.update'],
  'rate-limit': ['rate-limit.update', 'rate-limit.reset', 'rate-limit.block', 'rate-limit.unblock'],
  settings: ['settings.update', 'settings.rotate-keys'],
  job: ['job.retry', 'job.retry-all', 'job.cancel'],
  audit: ['audit.retain'],
  /** Refused attempts at what has no action of its own. */
  request: ['request.refuse'],
} as const;

export type AuditResourceType = keyof typeof AUDIT_ACTIONS;
export type AuditAction = (typeof AUDIT_ACTIONS)[AuditResourceType][number];

/** What a successful change has as its result; a refused one has the code of its error. */
export const AUDIT_SUCCESS = 'success';

const text = z.string().nullable();

export const AuditEntry = z.object({
  id: z.number().int(),
  at: Timestamp,
  actor: z.object({
    type: z.enum(['user', 'api-key', 'tenant-token', 'system', 'anonymous']),
    id: text.describe('null for somebody unknown'),
  }),
  ipAddress: text,
  userAgent: text,
  requestId: text,
  action: z.string(),
  resource: z.object({ type: z.string(), id: text }).nullable(),
  organizationId: text,
  projectId: text,
  tenantId: text,
  before: z.unknown().describe('what was there before, without secrets; null for what was made'),
  after: z.unknown().describe('what is there now, without secrets; null for what was removed'),
  result: z.string().describe('"success", or the code of the error that refused it'),
  sequence: z.number().int().nullable().describe('place in the chain of the organization; null until it is sealed'),
  hash: text.describe('SHA-256 in hex over the hash of the entry before and this one; null until it is sealed'),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

const filters = {
  organizationId: z.string().optional().describe('all that happened in the organization, for its owners and admins'),
  projectId: z.string().optional().describe('what happened in the project'),
  tenantId: z.string().max(100).optional().describe('what happened to the tenant'),
  actor: StorableText.max(200).optional().describe('id of a user, key or token; "system"'),
  action: StorableText.max(100).optional().describe('such as project.update'),
  resource: StorableText.max(250).optional().describe('id of what it was done to'),
  result: StorableText.max(100).optional().describe('"success", "refused", or the code of an error'),
  from: Timestamp.optional(),
  to: Timestamp.optional().describe('not included'),
};

export const ListAuditQuery = z.strictObject({
  ...filters,
  limit: queryInteger(1, 1000).default(50),
  cursor: z.string().max(500).optional(),
});
export type ListAuditQuery = z.infer<typeof ListAuditQuery>;

export const ExportAuditQuery = z.strictObject({ ...filters, format: z.enum(['csv', 'jsonl']) });
export type ExportAuditQuery = z.infer<typeof ExportAuditQuery>;

export const VerifyAuditQuery = z.strictObject({ organizationId: filters.organizationId });
export type VerifyAuditQuery = z.infer<typeof VerifyAuditQuery>;

/** What verification found of the chain of an organization. */
export const AuditVerification = z.object({
  organizationId: text.describe('null for what belongs to no organization'),
  isWhole: z.boolean().describe('no sealed entry was changed, removed, added or moved'),
  entries: z.number().int().describe('sealed entries that verified, up to the first problem'),
  unsealed: z.number().int().describe('entries of the last seconds, which no hash protects yet'),
  anchorSequence: z.number().int().describe('place of the last entry that retention removed; 0 for none'),
  sequence: z.number().int().describe('place of the last sealed entry'),
  hash: z.string().describe('hash of the last sealed entry, in hex: keep it elsewhere to compare it later'),
  problem: z
    .object({ sequence: z.number().int(), entryId: z.number().int().nullable(), reason: z.string() })
    .nullable()
    .describe('the first broken link'),
});
export type AuditVerification = z.infer<typeof AuditVerification>;
