import { Job, JobQueueView, ListJobsQuery, page, RetryJobsBody, success } from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const tags = ['jobs'];
// Who looks for what is wrong asks more than 20 times an hour.
const config = { permission: 'admin', limit: 'standard' } as const;
const params = z.object({ id: z.string() });

/** For administrators of the server alone: the service decides who that is. */
export const jobRoutes: Routes = (app, { jobs, clock }) => {
  app.get(
    '/api/v1/jobs/queues',
    {
      config,
      schema: {
        tags,
        summary: 'Count the jobs of each queue by their state',
        response: { 200: success(z.object({ queues: z.array(JobQueueView) })) },
      },
    },
    async (request) => answer(clock, { queues: await jobs.queues(request.actor) }),
  );

  app.get(
    '/api/v1/jobs',
    {
      config,
      schema: {
        tags,
        summary: 'List jobs, newest first',
        description: 'What failed for the last time is in the queue "dead-letters" for 90 days.',
        querystring: ListJobsQuery,
        response: { 200: success(page(Job)) },
      },
    },
    async (request) => answer(clock, await jobs.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/jobs/:id',
    { config, schema: { tags, summary: 'Read a job', params, response: { 200: success(Job) } } },
    async (request) => answer(clock, await jobs.get(request.actor, request.params.id)),
  );

  app.post(
    '/api/v1/jobs/:id/retry',
    {
      config,
      schema: {
        tags,
        summary: 'Have a job that failed done once more, or the one that a dead letter is of',
        params,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await jobs.retry(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/jobs/:id/cancel',
    {
      config,
      schema: {
        tags,
        summary: 'Take a job out of its queue',
        description: 'One that runs goes on to its end where it runs, and is not tried again.',
        params,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await jobs.cancel(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/jobs/retry',
    {
      config,
      schema: {
        tags,
        summary: 'Have all jobs that failed done once more, or those of one queue',
        description:
          'Up to 1,000 of each queue in one call. Scheduled jobs are left alone: their next round makes up for them.',
        body: RetryJobsBody,
        response: { 200: success(z.object({ retried: z.number().int() })) },
      },
    },
    async (request) => answer(clock, { retried: await jobs.retryAll(request.actor, request.body?.queue) }),
  );
};
