import {
  CreateTransformJobBody,
  FileFactsDetail,
  ListJobItemsQuery,
  ListTransformJobsQuery,
  page,
  success,
  TransformJob,
  TransformJobItem,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const tags = ['transforms'];
const params = z.object({ id: z.string() });

/** Films, sounds and pictures that are made in jobs, and what is known of files. */
export const transformJobRoutes: Routes = (app, { transformJobs, facts, clock }) => {
  app.post(
    '/api/v1/transform/jobs',
    {
      config: { permission: 'transforms:execute', idempotent: true, limit: 'expensive' },
      schema: {
        tags,
        summary: 'Have something made of a file, or of many',
        description:
          'Posters, thumbnails, films, HLS, sounds, waveforms and pictures: see docs/media.md. The results are new files beside the source. Follow the job by its id.',
        body: CreateTransformJobBody,
        response: { 202: success(TransformJob) },
      },
    },
    async (request, reply) => {
      reply.code(202);
      return answer(clock, await transformJobs.create(request.actor, request.body));
    },
  );

  app.get(
    '/api/v1/transform/jobs',
    {
      config: { permission: 'transforms:read' },
      schema: {
        tags,
        summary: 'List transform jobs, newest first',
        querystring: ListTransformJobsQuery,
        response: { 200: success(page(TransformJob)) },
      },
    },
    async (request) => answer(clock, await transformJobs.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/transform/jobs/:id',
    {
      config: { permission: 'transforms:read' },
      schema: {
        tags,
        summary: 'Read a transform job and what it has made',
        params,
        response: { 200: success(TransformJob) },
      },
    },
    async (request) => answer(clock, await transformJobs.get(request.actor, request.params.id)),
  );

  app.get(
    '/api/v1/transform/jobs/:id/items',
    {
      config: { permission: 'transforms:read' },
      schema: {
        tags,
        summary: 'List the files of a batch, and what became of each',
        params,
        querystring: ListJobItemsQuery,
        response: { 200: success(page(TransformJobItem)) },
      },
    },
    async (request) => answer(clock, await transformJobs.items(request.actor, request.params.id, request.query)),
  );

  app.delete(
    '/api/v1/transform/jobs/:id',
    {
      config: { permission: 'transforms:execute' },
      schema: {
        tags,
        summary: 'Call a transform job off',
        description: 'What it has made stays. One that is being done ends within a few seconds.',
        params,
        response: { 200: success(TransformJob) },
      },
    },
    async (request) => answer(clock, await transformJobs.cancel(request.actor, request.params.id)),
  );

  app.get(
    '/api/v1/files/:id/facts',
    {
      config: { permission: 'files:read' },
      schema: {
        tags: ['files'],
        summary: 'Read all that is known of the content of a file',
        description: 'With the place where a picture was taken and the text of a document, which stand nowhere else.',
        params,
        querystring: z.object({ projectId: z.string().optional() }),
        response: { 200: success(FileFactsDetail) },
      },
    },
    async (request) => answer(clock, await facts.get(request.actor, { ...request.query, ...request.params })),
  );
};
