import { AddProjectBucketBody, ProjectBucket, success } from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const params = z.object({ id: z.string() });
const bucketParams = params.extend({ bucketId: z.string() });
const tags = ['projects'];
const buckets = success(z.object({ items: z.array(ProjectBucket) }));

export const projectBucketRoutes: Routes = (app, { projectBuckets, clock }) => {
  app.get(
    '/api/v1/projects/:id/buckets',
    {
      config: { permission: 'projects:read' },
      schema: { tags, summary: 'List the buckets of a project', params, response: { 200: buckets } },
    },
    async (request) => answer(clock, { items: await projectBuckets.list(request.actor, request.params.id) }),
  );

  app.put(
    '/api/v1/projects/:id/buckets/:bucketId',
    {
      config: { permission: 'projects:write' },
      schema: {
        tags,
        summary: 'Let a project use a bucket, or make it the default',
        params: bucketParams,
        body: AddProjectBucketBody,
        response: { 200: buckets },
      },
    },
    async (request) => {
      const { id, bucketId } = request.params;
      return answer(clock, { items: await projectBuckets.add(request.actor, id, bucketId, request.body) });
    },
  );

  app.delete(
    '/api/v1/projects/:id/buckets/:bucketId',
    {
      config: { permission: 'projects:write' },
      schema: { tags, summary: 'Take a bucket from a project', params: bucketParams, response: { 200: buckets } },
    },
    async (request) => {
      const { id, bucketId } = request.params;
      return answer(clock, { items: await projectBuckets.remove(request.actor, id, bucketId) });
    },
  );
};
