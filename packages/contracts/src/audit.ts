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
  ],
  upload: ['upload.create', 'upload.write', 'upload.complete', 'upload.abort'],
  plan: ['plan.create', 'plan.update', 'plan.delete'],
  'rate-limit': ['rate-limit.update', 'rate-limit.reset', 'rate-limit.block', 'rate-limit.unblock'],
  settings: ['settings.update', 'settings.rotate-keys'],
  audit: ['audit.retain'],
  /** Refused attempts at what has no action of its own. */
  request: ['request.refuse'],
} as const;

export type AuditResourceType = keyof typeof AUDIT_ACTIONS;
export type AuditAction = (typeof AUDIT_ACTIONS)[AuditResourceType][number];

/** What a successful change has as its result; a refused one has the code of its error. */
export const AUDIT_SUCCESS = 'success';
