export { type JobContext, type JobHandler, JobHandlers } from './job-handlers.ts';
export {
  type EnqueueOptions,
  JOBS_CHANNEL,
  JOBS_SCHEMA,
  type JobCount,
  JobQueue,
  type JobQueueOptions,
  type JobTally,
  type QueueConnection,
} from './job-queue.ts';
