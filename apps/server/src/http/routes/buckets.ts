import {
  Bucket,
  BucketCorsFix,
  BucketExamination,
  CreateBucketBody,
  ExamineBucketBody,
  ListBucketsQuery,
  page,
  ShareBucketBody,
  success,
  UpdateBucketBody,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const params = z.object({ id: z.string() });
const tags = ['buckets'];
const config = { login: true } as const;
/** Many requests to the provider for one of ours. */
const examining = { login: true, limit: 'expensive' } as const;

export const bucketRoutes: Routes = (app, { buckets, bucketSharing, bucketExaminer, clock }) => {
  app.get(
    '/api/v1/buckets',
    {
      config,
      schema: {
        tags,
        summary: 'List the buckets that you may know of',
        querystring: ListBucketsQuery,
        response: { 200: success(page(Bucket)) },
      },
    },
    async (request) => answer(clock, await buckets.list(request.actor, request.query)),
  );

  app.post(
    '/api/v1/buckets',
    {
      config: { ...config, idempotent: true },
      schema: {
        tags,
        summary: 'Add a bucket to an organization',
        description: 'The credentials are sealed, and never told again. Test the bucket afterwards.',
        body: CreateBucketBody,
        response: { 201: success(Bucket) },
      },
    },
    async (request, reply) => reply.code(201).send(answer(clock, await buckets.create(request.actor, request.body))),
  );

  app.get(
    '/api/v1/buckets/:id',
    { config, schema: { tags, summary: 'Read a bucket', params, response: { 200: success(Bucket) } } },
    async (request) => answer(clock, await buckets.get(request.actor, request.params.id)),
  );

  app.patch(
    '/api/v1/buckets/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Change the name, credentials or address of a bucket',
        params,
        body: UpdateBucketBody,
        response: { 200: success(Bucket) },
      },
    },
    async (request) => answer(clock, await buckets.update(request.actor, request.params.id, request.body)),
  );

  app.delete(
    '/api/v1/buckets/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Remove a bucket that nothing uses',
        description: 'What lies at the provider stays there. A bucket in use is refused with the list of what uses it.',
        params,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await buckets.remove(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/buckets/:id/share',
    {
      config,
      schema: {
        tags,
        summary: 'Share a bucket with a team, or change what the team may do',
        params,
        body: ShareBucketBody,
        response: { 200: success(Bucket) },
      },
    },
    async (request) => answer(clock, await bucketSharing.share(request.actor, request.params.id, request.body)),
  );

  app.delete(
    '/api/v1/buckets/:id/share/:teamId',
    {
      config,
      schema: {
        tags,
        summary: 'Share a bucket with a team no more',
        params: params.extend({ teamId: z.string() }),
        response: { 200: success(Bucket) },
      },
    },
    async (request) => {
      const { id, teamId } = request.params;
      return answer(clock, await bucketSharing.unshare(request.actor, id, teamId));
    },
  );

  app.post(
    '/api/v1/buckets/:id/test',
    {
      config: examining,
      schema: {
        tags,
        summary: 'Try what the bucket lets Carcosa do, and say what is missing',
        params,
        body: ExamineBucketBody,
        response: { 200: success(BucketExamination) },
      },
    },
    async (request) => answer(clock, await bucketExaminer.examine(request.actor, request.params.id, request.body)),
  );

  app.post(
    '/api/v1/buckets/:id/fix-cors',
    {
      config: examining,
      schema: {
        tags,
        summary: 'Add the CORS rule that uploads from browsers need',
        params,
        body: ExamineBucketBody,
        response: { 200: success(BucketCorsFix) },
      },
    },
    async (request) => answer(clock, await bucketExaminer.fixCors(request.actor, request.params.id, request.body)),
  );
};
