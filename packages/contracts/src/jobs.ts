import { z } from 'zod';
import { AlarmNews } from './alarm.ts';
import { queryInteger, Timestamp } from './common.ts';
import { Inspection } from './media/arrival-rule.ts';

/** Every job: its name and what it carries. A handler for each must be there at boot, and only one. */
export const JOBS = {
  /** Measures what alarms watch, and tells what has become bad or well. */
  'evaluate-alarms': z.object({}),
  /** Hands news of an alarm to one address. */
  'tell-alarm': z.object({
    /** Of the news: the same however often it is tried. */
    id: z.string(),
    at: z.string(),
    to: z.discriminatedUnion('type', [
      z.object({ type: z.literal('email'), address: z.string() }),
      z.object({ type: z.literal('webhook') }),
      z.object({ type: z.literal('chat') }),
    ]),
    news: AlarmNews,
  }),
  /** Removes staged bytes of uploads that ended, and objects that nothing refers to. */
  'collect-garbage': z.object({}),
  /** Reads an object back to learn its SHA-256 and MD5 where nothing computed them while it came in. */
  'hash-object': z.object({ objectId: z.string() }),
  /** Removes audit entries that are older than the plan of their organization keeps them. */
  'retain-audit': z.object({}),
  /** Links new audit entries to the chain of their organization. */
  'seal-audit': z.object({}),
  /** Purges files that have been in the trash for longer than their project keeps them. */
  'purge-trash': z.object({}),
  /** Tells an app of an upload, where that was not taken before. */
  'deliver-callback': z.object({ callbackId: z.string() }),
  /** Ends uploads by signed addresses that nobody has settled, and sends callbacks that a crash left. */
  'settle-signed-uploads': z.object({}),
  /** Removes events that are older than the plan of their organization keeps them. */
  'retain-events': z.object({}),
  /** Removes usage that is older than it is kept. */
  'retain-usage': z.object({}),
  /** Reports what was used to the provider of payments. */
  'report-usage': z.object({}),
  /** Brings the usage of each day up to what files added and took away. */
  'fold-usage': z.object({}),
  /** Removes all files of a project that was removed, or of one tenant of it. */
  'remove-files': z.object({ projectId: z.string(), tenantId: z.string().nullable() }),
  /** Has a content scanned that is not served before. */
  'scan-object': z.object({ objectId: z.string() }),
  /** Has a file looked at by an inspector. */
  'inspect-file': z.object({ fileId: z.string(), version: z.number(), inspection: Inspection }),
  /** Finds out what a content says of itself. */
  'read-facts': z.object({ objectId: z.string() }),
  /** Makes what a transform job asks for. */
  'run-transform': z.object({ jobId: z.string() }),
  /** The same for jobs that are done in seconds, so that they need not wait for those that take hours. */
  'run-small-transform': z.object({ jobId: z.string() }),
} as const satisfies Record<string, z.ZodType>;

export type JobName = keyof typeof JOBS;
export type JobData<Name extends JobName> = z.infer<(typeof JOBS)[Name]>;

/** How far a job is: it waits, waits for another attempt, runs, or has ended in one of three ways. */
export const JobState = z.enum(['created', 'retry', 'active', 'completed', 'cancelled', 'failed']);
export type JobState = z.infer<typeof JobState>;

/** A queue, for administrators of the server. */
export const JobQueueView = z.object({
  name: z.string().describe('the name of its jobs; "dead-letters" keeps those that failed for the last time'),
  every: z.number().int().nullable().describe('seconds between two runs; null for what is made by whoever needs it'),
  counts: z.record(JobState, z.number().int()),
  waitingSince: Timestamp.nullable().describe(
    'since when the oldest job that could be done waits; null when none does',
  ),
});
export type JobQueueView = z.infer<typeof JobQueueView>;

export const Job = z.object({
  id: z.string(),
  queue: z.string(),
  state: JobState,
  data: z.unknown().describe('what the job is about'),
  attempts: z.number().int().describe('attempts that have ended'),
  maxAttempts: z.number().int(),
  error: z.string().nullable().describe('what the last attempt failed with'),
  deadLetterOf: z.string().nullable().describe('of a dead letter: the queue that it came from'),
  createdAt: Timestamp,
  startAfter: Timestamp.describe('not before, for jobs that wait'),
  startedAt: Timestamp.nullable(),
  endedAt: Timestamp.nullable(),
});
export type Job = z.infer<typeof Job>;

const QueueName = z.enum(['dead-letters', ...Object.keys(JOBS)]).describe('the name of a queue');

export const ListJobsQuery = z.strictObject({
  queue: QueueName.optional(),
  state: JobState.optional(),
  limit: queryInteger(1, 1000).default(50),
  cursor: z.string().max(500).optional(),
});
export type ListJobsQuery = z.infer<typeof ListJobsQuery>;

export const RetryJobsBody = z.strictObject({ queue: QueueName.optional() }).nullish();
export type RetryJobsBody = z.infer<typeof RetryJobsBody>;
