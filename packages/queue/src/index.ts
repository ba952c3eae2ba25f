export type { QueueConnection } from './connection.ts';
export { type JobContext, type JobHandler, JobHandlers } from './job-handlers.ts';
export {
  JobLedger,
  type JobListing,
  type JobRow,
  type QueueSummary,
} from './job-ledger.ts';
export {
  type EnqueueOptions,
  JOBS_CHANNEL,
  JOBS_SCHEMA,
  type JobCount,
  JobQueue,
  type JobQueueOptions,
  type JobTally,
} from './job-queue.ts';
