import {
  CollectResult,
  CompleteUploadBody,
  File,
  InitUploadBody,
  InitUploadResult,
  ListUploadsQuery,
  page,
  SignPartsBody,
  SignPartsResult,
  success,
  Upload,
} from '@carcosa/contracts';
import { CarcosaError } from '@carcosa/kernel';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';
import { contentLength, uploadScope } from '../upload-scope.ts';

const params = z.object({ id: z.string() });
const tags = ['uploads'];

/** One upload counts as one request, where it begins: what belongs to it afterwards is not limited. */
export const uploadRoutes: Routes = (app, { directUploads, uploads, garbage, clock }) => {
  app.post(
    '/api/v1/uploads/init',
    {
      config: { permission: 'files:write', idempotent: true, work: 'upload' },
      schema: {
        tags,
        summary: 'Begin a direct upload',
        body: InitUploadBody,
        response: { 201: success(InitUploadResult) },
      },
    },
    async (request, reply) => {
      reply.code(201);
      return answer(clock, await directUploads.init(request.actor, request.body));
    },
  );

  app.post(
    '/api/v1/uploads/:id/parts',
    {
      config: { permission: 'files:write', limit: false },
      schema: {
        tags,
        summary: 'Sign addresses of parts',
        params,
        body: SignPartsBody,
        response: { 200: success(SignPartsResult) },
      },
    },
    async (request) =>
      answer(clock, {
        parts: await directUploads.signParts(request.actor, request.params.id, request.body.partNumbers),
      }),
  );

  app.post(
    '/api/v1/uploads/:id/complete',
    {
      config: { permission: 'files:write', limit: false },
      schema: {
        tags,
        summary: 'Make the file of a direct upload',
        params,
        body: CompleteUploadBody.nullish(),
        response: { 200: success(File) },
      },
    },
    async (request) =>
      answer(clock, await directUploads.complete(request.actor, request.params.id, request.body?.parts)),
  );

  app.get(
    '/api/v1/uploads',
    {
      config: { permission: 'files:write' },
      schema: {
        tags,
        summary: 'List unfinished uploads',
        querystring: ListUploadsQuery,
        response: { 200: success(page(Upload)) },
      },
    },
    async (request) => answer(clock, await uploads.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/uploads/:id',
    {
      config: { permission: 'files:write' },
      schema: { tags, summary: 'Read how far an upload is', params, response: { 200: success(Upload) } },
    },
    async (request) => answer(clock, await directUploads.status(request.actor, request.params.id)),
  );

  app.delete(
    '/api/v1/uploads/:id',
    {
      config: { permission: 'files:write', limit: false },
      schema: { tags, summary: 'Abort an upload and remove its bytes', params, response: { 204: z.null() } },
    },
    async (request, reply) => {
      await uploads.abort(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/uploads/collect',
    {
      config: { permission: 'admin' },
      schema: {
        tags,
        summary: 'Remove unreferenced bytes now',
        description:
          'Runs the collection that otherwise runs every minute: bytes of ended uploads and of purged files.',
        response: { 200: success(CollectResult) },
      },
    },
    async () => answer(clock, await garbage.collect()),
  );

  uploadScope(app, (scope) => {
    // The address is signed for PUT alone.
    scope.route({
      method: ['GET', 'POST', 'PATCH', 'DELETE'],
      url: '/api/v1/uploads/:id/parts/:partNumber',
      config: { public: true, limit: false },
      schema: { hide: true },
      handler: () => {
        throw new CarcosaError('signature_invalid');
      },
    });
    scope.put(
      '/api/v1/uploads/:id/parts/:partNumber',
      {
        config: { public: true, limit: false, work: 'upload', goesOn: true },
        schema: {
          tags,
          summary: 'Send a part of a direct upload to a bucket that cannot presign',
          description:
            'The address comes from `init` or `parts`, is signed and expires. Answers with the ETag that `complete` wants.',
          params: z.object({ id: z.string(), partNumber: z.coerce.number().int() }),
        },
      },
      async (request, reply) => {
        const { id: uploadId, partNumber } = request.params;
        const { headers, url = '' } = request.raw;
        const signed = {
          query: url.split('?')[1] ?? '',
          contentType: headers['content-type'],
          length: contentLength(headers),
        };
        const etag = await directUploads.receivePart({ uploadId, partNumber, ...signed }, request.raw);
        return reply.code(200).header('ETag', `"${etag}"`).send();
      },
    );
  });
};
