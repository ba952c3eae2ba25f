import { z } from 'zod';
import { Email } from './auth.ts';
import { queryInteger, StorableText, Timestamp } from './common.ts';
import { WebhookUrl } from './webhook.ts';

interface AlarmKindEntry {
  /** Who may have one: the server, organizations, or both. */
  readonly places: readonly ('server' | 'organization')[];
  /** Which side of the threshold is bad. */
  readonly worse: 'above' | 'below';
  /** What is measured, in words. */
  readonly measures: string;
  readonly unit: string;
  readonly threshold: { readonly default: number; readonly min: number; readonly max: number };
  /** Minutes that it must last, where nothing else is said. */
  readonly forMinutes: number;
}

/** All that an alarm can watch. */
export const ALARM_KINDS = {
  'error-rate': {
    places: ['server'],
    worse: 'above',
    measures:
      'the share of requests of the last five minutes, on all nodes, that were answered 5xx; from 20 requests on',
    unit: '%',
    threshold: { default: 5, min: 0.1, max: 100 },
    forMinutes: 2,
  },
  disk: {
    places: ['server'],
    worse: 'below',
    measures: "the share of the data directory's disk that is free, on each node",
    unit: '%',
    threshold: { default: 10, min: 0.1, max: 99 },
    forMinutes: 2,
  },
  'dead-letters': {
    places: ['server'],
    worse: 'above',
    measures: 'jobs that failed for the last time and wait for somebody',
    unit: ' jobs',
    threshold: { default: 1, min: 1, max: 1_000_000 },
    forMinutes: 0,
  },
  bucket: {
    places: ['server', 'organization'],
    worse: 'above',
    measures: 'whether a bucket answers: 1 when it does not; of the server, the bucket of the default project',
    unit: '',
    threshold: { default: 1, min: 1, max: 1 },
    forMinutes: 3,
  },
  webhook: {
    places: ['organization'],
    worse: 'above',
    measures: 'failed attempts in a row of each webhook; one that was switched off for its failures counts as well',
    unit: ' failed attempts',
    threshold: { default: 5, min: 1, max: 1000 },
    forMinutes: 0,
  },
  quota: {
    places: ['organization'],
    worse: 'above',
    measures: 'how much of each quota of the organization, its projects and its tenants is used',
    unit: '%',
    threshold: { default: 90, min: 1, max: 100 },
    forMinutes: 0,
  },
} as const satisfies Record<string, AlarmKindEntry>;

export type AlarmKind = keyof typeof ALARM_KINDS;
const Kind = z.enum(Object.keys(ALARM_KINDS) as [AlarmKind, ...AlarmKind[]]).describe('what is watched');

/** The entry of a kind, in the form that all have. */
export const alarmKind = (kind: AlarmKind): AlarmKindEntry => ALARM_KINDS[kind];

const fields = {
  name: StorableText.trim().min(1).max(100),
  threshold: z.number().min(0).max(1_000_000_000).describe('from where on it is bad; in the unit of the kind'),
  forMinutes: z
    .number()
    .int()
    .min(0)
    .max(1440)
    .describe('how long it must be so before it is told, and gone before that is'),
  enabled: z.boolean(),
  toAdministrators: z
    .boolean()
    .describe('mail to administrators of the server, or to owners and admins of the organization'),
  emails: z
    .array(Email)
    .max(10)
    .transform((emails) => [...new Set(emails)])
    .describe('further addresses'),
  webhookUrl: WebhookUrl.nullable().describe('gets a request that is signed as those of webhooks; null for none'),
  chatUrl: WebhookUrl.nullable().describe(
    'an incoming webhook of Slack, Mattermost, Discord or what understands them; null for none',
  ),
};

export const CreateAlarmBody = z.strictObject({
  organizationId: z.string().optional().describe('absent: of the server, for its administrators'),
  kind: Kind,
  name: fields.name.optional().describe('absent: the kind'),
  threshold: fields.threshold.optional(),
  forMinutes: fields.forMinutes.optional(),
  enabled: fields.enabled.default(true),
  toAdministrators: fields.toAdministrators.default(true),
  emails: fields.emails.default([]),
  webhookUrl: fields.webhookUrl.default(null),
  chatUrl: fields.chatUrl.default(null),
});
export type CreateAlarmBody = z.infer<typeof CreateAlarmBody>;

export const UpdateAlarmBody = z
  .strictObject(fields)
  .partial()
  .refine((body) => Object.keys(body).length > 0, { message: 'say at least one thing to change' });
export type UpdateAlarmBody = z.infer<typeof UpdateAlarmBody>;

/** What an alarm found to be bad. */
export const AlarmSubject = z.object({
  subject: z.string().describe('the bucket, webhook, node or quota that it is about'),
  label: z.string(),
  since: Timestamp.describe('when it was told'),
  value: z.number().describe('what was measured last'),
});

export const Alarm = z.object({
  id: z.string(),
  organizationId: z.string().nullable(),
  kind: Kind,
  name: z.string(),
  threshold: z.number(),
  forMinutes: z.number().int(),
  enabled: z.boolean(),
  toAdministrators: z.boolean(),
  emails: z.array(z.string()),
  webhookUrl: z.string().nullable(),
  chatHost: z.string().nullable().describe('the host of chatUrl, which is itself a secret'),
  state: z.enum(['ok', 'firing']),
  firing: z.array(AlarmSubject),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type Alarm = z.infer<typeof Alarm>;

/** With the secret that requests to `webhookUrl` are signed with, in the answer to the request that set it. */
export const SavedAlarm = Alarm.extend({
  webhookSecret: z.string().nullable().describe('`whsec_…`; it is not shown again'),
});
export type SavedAlarm = z.infer<typeof SavedAlarm>;

export const ListAlarmsQuery = z.strictObject({
  organizationId: z.string().optional().describe('absent: those of the server'),
  limit: queryInteger(1, 100).default(50),
  cursor: z.string().max(500).optional(),
});
export type ListAlarmsQuery = z.infer<typeof ListAlarmsQuery>;

/** What became of a trial. */
export const AlarmTest = z.object({
  results: z.array(
    z.object({
      target: z.enum(['email', 'webhook', 'chat']),
      to: z.string().describe('the address, or the host'),
      error: z.string().nullable().describe('null: it was taken'),
    }),
  ),
});
export type AlarmTest = z.infer<typeof AlarmTest>;

/** What is told of an alarm: the data of the request, and of the events `alarm.fired` and `alarm.resolved`. */
export const AlarmNews = z.object({
  alarmId: z.string(),
  organizationId: z.string().nullable(),
  kind: Kind,
  name: z.string(),
  threshold: z.number(),
  unit: z.string(),
  fired: z.array(AlarmSubject),
  resolved: z.array(AlarmSubject),
  isTest: z.boolean(),
});
export type AlarmNews = z.infer<typeof AlarmNews>;
