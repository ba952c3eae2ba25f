export { type JobContext, type JobHandler, JobHandlers } from './job-handlers.ts';
export {
  type EnqueueOptions,
  JOBS_CHANNEL,
  JOBS_SCHEMA,
  JobQueue,
  type JobQueueOptions,
  type QueueConnection,
} from './job-queue.ts';
