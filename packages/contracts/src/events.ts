import { z } from 'zod';
import type { AuditAction } from './audit.ts';
import { queryInteger, StorableText, Timestamp } from './common.ts';
import type { Permission } from './permissions.ts';

/** Every event: what it tells. `docs/events.md` has the same list; a test holds the two equal. */
export const EVENTS = {
  'file.created': 'A file was stored at a path where there was none.',
  'file.replaced': 'A file got a new version by an upload to its path.',
  'file.updated': 'Visibility, metadata or tags of a file became different.',
  'file.moved': 'A file got another path; `previous.path` is the former one.',
  'file.copied': 'A file was made as a copy; `copyOf` is the other one.',
  'file.trashed': 'A file was put into the trash.',
  'file.restored': 'A file came out of the trash.',
  'file.version_restored': 'A former version of a file became its newest one.',
  'file.purged': 'A file was removed for good.',
  'file.analyzed': 'What the bytes of a file say became known; `facts` has it.',
  'file.scanned': 'A virus scan has found a file clean: it is served from now on.',
  'file.inspected': 'An inspector has looked at a file; `findings` has its answer.',
  'file.quarantined': 'A file is not served any more: a scan or an inspector has found something; `reason` says what.',
  'transform.started': 'A transform job has begun.',
  'transform.completed': 'A transform job is done; `results` has what it made.',
  'transform.failed': 'A transform job failed; `error` says why.',
  'transform.cancelled': 'A transform job was called off.',
  'upload.created':
    'An upload was begun by tus or direct to its bucket. One that comes in a single request is told by its file alone.',
  'upload.completed': 'Such an upload became a file; `fileId` says which.',
  'upload.aborted': 'An upload was given up by its client.',
  'upload.expired': 'Such an upload was not continued in time, and its bytes were removed.',
  'key.created': 'An API key was made.',
  'key.updated': 'An API key was changed.',
  'key.rotated': 'An API key got a successor.',
  'key.revoked': 'An API key was ended.',
  'token.created': 'A token for a tenant was made.',
  'token.revoked': 'A token for a tenant was ended.',
  'tenant.created': 'A tenant was made.',
  'tenant.updated': 'A tenant was changed, suspended or resumed.',
  'tenant.deleted': 'A tenant was removed; its files follow.',
  'project.created': 'A project was made.',
  'project.updated': 'A project or its settings were changed.',
  'project.deleted': 'A project was removed; its files follow.',
  'project.signing_key_rotated': 'All signed addresses of a project were revoked.',
  'project.bucket_added': 'A bucket was given to a project.',
  'project.bucket_removed': 'A bucket was taken from a project.',
  'preset.created': 'A preset of transforms was made.',
  'preset.updated': 'A preset of transforms was changed.',
  'preset.deleted': 'A preset of transforms was removed.',
  'bucket.created': 'A bucket was made.',
  'bucket.updated': 'A bucket was changed.',
  'bucket.credentials_rotated': 'A bucket got other credentials.',
  'bucket.deleted': 'A bucket was removed.',
  'bucket.shared': 'A team may use a bucket.',
  'bucket.unshared': 'A team may no longer use a bucket.',
  'organization.created': 'An organization was made.',
  'organization.updated': 'An organization was changed.',
  'organization.transferred': 'An organization got another owner.',
  'team.created': 'A team was made.',
  'team.updated': 'A team was changed.',
  'team.deleted': 'A team was removed.',
  'member.added': 'Somebody became a member.',
  'member.updated': 'The role of a member was changed.',
  'member.removed': 'A member was removed.',
  'member.left': 'A member left.',
  'invitation.created': 'Somebody was invited.',
  'invitation.resent': 'An invitation was sent again.',
  'invitation.accepted': 'An invitation was accepted.',
  'invitation.declined': 'An invitation was declined.',
  'invitation.revoked': 'An invitation was revoked.',
  'quota.updated': 'The quotas of an organization, project or tenant were changed.',
  'quota.warning': 'At least 80 or 90 percent of a quota are used; `threshold` says which. Each is told once a month.',
  'quota.exceeded': 'A quota is used up, or somebody was refused by it. Told once a month.',
  'alarm.created': 'An alarm was made.',
  'alarm.updated': 'An alarm was changed.',
  'alarm.deleted': 'An alarm was removed.',
  'alarm.fired': 'What an alarm watches has become bad.',
  'alarm.resolved': 'What an alarm watches is well again.',
  'webhook.created': 'A webhook was made.',
  'webhook.updated': 'A webhook was changed.',
  'webhook.deleted': 'A webhook was removed.',
  'webhook.secret_rotated': 'A webhook got a new secret.',
  'webhook.disabled': 'A webhook was switched off because its receiver failed for too long, or said that it is gone.',
  'callback.failed': 'An app was told of an upload, did not take it however often, and is told no more by itself.',
  'webhook.test': 'Somebody pressed the test button of a webhook. Goes to that webhook alone.',
} as const satisfies Record<string, string>;

export type EventType = keyof typeof EVENTS;
export const EVENT_TYPES = Object.keys(EVENTS) as readonly EventType[];

/**
 * The event that tells of a change which the audit log records. Both are written by one statement, so that nothing is recorded that is
 * not told. What is not here is told to nobody: log-ins, reading, and what has no organization.
 */
export const EVENT_OF_ACTION: Readonly<Partial<Record<AuditAction, EventType>>> = {
  'file.create': 'file.created',
  'file.replace': 'file.replaced',
  'file.update': 'file.updated',
  'file.copy': 'file.copied',
  'file.trash': 'file.trashed',
  'file.restore': 'file.restored',
  'file.restore-version': 'file.version_restored',
  'file.purge': 'file.purged',
  'file.analyze': 'file.analyzed',
  'file.scan': 'file.scanned',
  'file.inspect': 'file.inspected',
  'file.quarantine': 'file.quarantined',
  'transform.start': 'transform.started',
  'transform.complete': 'transform.completed',
  'transform.fail': 'transform.failed',
  'transform.cancel': 'transform.cancelled',
  'upload.abort': 'upload.aborted',
  'api-key.create': 'key.created',
  'api-key.update': 'key.updated',
  'api-key.rotate': 'key.rotated',
  'api-key.revoke': 'key.revoked',
  'token.create': 'token.created',
  'token.revoke': 'token.revoked',
  'tenant.create': 'tenant.created',
  'tenant.update': 'tenant.updated',
  'tenant.suspend': 'tenant.updated',
  'tenant.resume': 'tenant.updated',
  'tenant.delete': 'tenant.deleted',
  'tenant.set-quotas': 'quota.updated',
  'project.create': 'project.created',
  'project.update': 'project.updated',
  'project.delete': 'project.deleted',
  'project.rotate-signing-key': 'project.signing_key_rotated',
  'project.add-bucket': 'project.bucket_added',
  'project.remove-bucket': 'project.bucket_removed',
  'project.set-quotas': 'quota.updated',
  'preset.create': 'preset.created',
  'preset.update': 'preset.updated',
  'preset.delete': 'preset.deleted',
  'bucket.create': 'bucket.created',
  'bucket.update': 'bucket.updated',
  'bucket.rotate-credentials': 'bucket.credentials_rotated',
  'bucket.delete': 'bucket.deleted',
  'bucket.share': 'bucket.shared',
  'bucket.unshare': 'bucket.unshared',
  'organization.create': 'organization.created',
  'organization.update': 'organization.updated',
  'organization.transfer': 'organization.transferred',
  'organization.set-quotas': 'quota.updated',
  'team.create': 'team.created',
  'team.update': 'team.updated',
  'team.delete': 'team.deleted',
  'member.add': 'member.added',
  'member.update': 'member.updated',
  'member.remove': 'member.removed',
  'member.leave': 'member.left',
  'invitation.create': 'invitation.created',
  'invitation.resend': 'invitation.resent',
  'invitation.accept': 'invitation.accepted',
  'invitation.decline': 'invitation.declined',
  'invitation.revoke': 'invitation.revoked',
  'alarm.create': 'alarm.created',
  'alarm.update': 'alarm.updated',
  'alarm.delete': 'alarm.deleted',
  'alarm.fire': 'alarm.fired',
  'alarm.resolve': 'alarm.resolved',
  'webhook.create': 'webhook.created',
  'webhook.update': 'webhook.updated',
  'webhook.delete': 'webhook.deleted',
  'webhook.rotate-secret': 'webhook.secret_rotated',
  'webhook.disable': 'webhook.disabled',
  'callback.fail': 'callback.failed',
};

/** What one must be allowed in a project to learn of an event there, by the family of its type: what comes before the dot. */
const FAMILY_PERMISSIONS: Readonly<Record<string, Permission>> = {
  file: 'files:read',
  upload: 'files:read',
  transform: 'transforms:read',
  key: 'api-keys:read',
  token: 'tenants:manage',
  tenant: 'tenants:manage',
};

export function permissionOfEvent(type: EventType): Permission {
  return FAMILY_PERMISSIONS[familyOf(type)] ?? 'projects:read';
}

const familyOf = (type: string): string => type.split('.', 1)[0] ?? '';
const FAMILIES: ReadonlySet<string> = new Set(EVENT_TYPES.map(familyOf));

/** A type, all types of a family as `file.*`, or all as `*`. */
export const EventFilter = z
  .string()
  .max(100)
  .refine(
    (text) => text === '*' || Object.hasOwn(EVENTS, text) || (text.endsWith('.*') && FAMILIES.has(text.slice(0, -2))),
    { message: 'a type of docs/events.md, such as "file.created", a family such as "file.*", or "*"' },
  )
  .describe('a type such as "file.created", a family such as "file.*", or "*"');

/** The types that any of the filters names. */
export function eventsMatching(filters: readonly string[]): EventType[] {
  return EVENT_TYPES.filter((type) =>
    filters.some((filter) => filter === '*' || filter === type || filter === `${familyOf(type)}.*`),
  );
}

/** What happened. */
export const Event = z.object({
  id: z.string().describe('always the same for one event; the `webhook-id` of its deliveries'),
  type: z.string().describe('a type of docs/events.md'),
  timestamp: Timestamp.describe('when it became true'),
  organizationId: z.string(),
  projectId: z.string().nullable(),
  tenantId: z.string().nullable(),
  resourceId: z.string().nullable().describe('what it happened to'),
  data: z.record(z.string(), z.unknown()).describe('what it happened to, as it was afterwards'),
});
export type Event = z.infer<typeof Event>;

export const ListEventsQuery = z.strictObject({
  organizationId: z.string().optional().describe('all that happened in the organization, for its owners and admins'),
  projectId: z.string().optional().describe('what happened in the project'),
  tenantId: z.string().max(100).optional().describe('what happened to the tenant and its files'),
  type: EventFilter.optional(),
  resourceId: StorableText.max(250).optional().describe('what happened to this file, key, …'),
  from: Timestamp.optional(),
  to: Timestamp.optional().describe('not included'),
  limit: queryInteger(1, 1000).default(50),
  cursor: z.string().max(500).optional(),
});
export type ListEventsQuery = z.infer<typeof ListEventsQuery>;
