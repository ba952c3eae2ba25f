import {
  CreateTransformPresetBody,
  ListTransformPresetsQuery,
  page,
  SignedTransform,
  SignTransformBody,
  success,
  TransformKey,
  TransformPreset,
  TransformStatistics,
  UpdateTransformPresetBody,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const tags = ['transforms'];
const params = z.object({ id: z.string() });

/** Presets of transforms. */
export const transformPresetRoutes: Routes = (app, { presets, clock }) => {
  app.post(
    '/api/v1/transform-presets',
    {
      config: { permission: 'transforms:write', idempotent: true },
      schema: {
        tags,
        summary: 'Keep steps by a name',
        body: CreateTransformPresetBody,
        response: { 201: success(TransformPreset) },
      },
    },
    async (request, reply) => {
      reply.code(201);
      return answer(clock, await presets.create(request.actor, request.body));
    },
  );

  app.get(
    '/api/v1/transform-presets',
    {
      config: { permission: 'transforms:read' },
      schema: {
        tags,
        summary: 'List the presets of a project',
        querystring: ListTransformPresetsQuery,
        response: { 200: success(page(TransformPreset)) },
      },
    },
    async (request) => answer(clock, await presets.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/transform-presets/:id',
    {
      config: { permission: 'transforms:read' },
      schema: { tags, summary: 'Read a preset', params, response: { 200: success(TransformPreset) } },
    },
    async (request) => answer(clock, await presets.get(request.actor, request.params.id)),
  );

  app.patch(
    '/api/v1/transform-presets/:id',
    {
      config: { permission: 'transforms:write' },
      schema: {
        tags,
        summary: 'Change the name or the steps of a preset',
        params,
        body: UpdateTransformPresetBody,
        response: { 200: success(TransformPreset) },
      },
    },
    async (request) => answer(clock, await presets.update(request.actor, request.params.id, request.body)),
  );

  app.delete(
    '/api/v1/transform-presets/:id',
    {
      config: { permission: 'transforms:delete' },
      schema: { tags, summary: 'Remove a preset', params, response: { 204: z.null() } },
    },
    async (request, reply) => {
      await presets.remove(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );
};

/** Signed addresses, purging, and what was done. */
export const transformControlRoutes: Routes = (app, { transformAddresses, transforms, clock }) => {
  app.post(
    '/api/v1/transform/sign',
    {
      config: { permission: 'transforms:execute' },
      schema: {
        tags,
        summary: 'Sign the address of a picture',
        description:
          'It opens private files, and what the project allows only with a signature. Spelled otherwise it stays good.',
        body: SignTransformBody,
        response: { 201: success(SignedTransform) },
      },
    },
    async (request, reply) => {
      reply.code(201);
      return answer(clock, await transformAddresses.sign(request.actor, request.body));
    },
  );

  app.get(
    '/api/v1/projects/:id/transform-key',
    {
      config: { permission: 'projects:write' },
      schema: {
        tags,
        summary: 'The key to sign addresses of pictures with',
        description: 'Whoever has it can open every picture of the project. POST …/rotate-signing-key ends it.',
        params,
        response: { 200: success(TransformKey) },
      },
    },
    async (request, reply) => {
      reply.header('Cache-Control', 'no-store');
      return answer(clock, await transformAddresses.key(request.actor, request.params.id));
    },
  );

  app.post(
    '/api/v1/files/:id/purge-transforms',
    {
      config: { permission: 'transforms:delete' },
      schema: { tags, summary: 'Remove what was made of a file', params, response: { 204: z.null() } },
    },
    async (request, reply) => {
      await transformAddresses.purgeFile(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/projects/:id/purge-transforms',
    {
      config: { permission: 'transforms:delete' },
      schema: { tags, summary: 'Remove what was made of the files of a project', params, response: { 204: z.null() } },
    },
    async (request, reply) => {
      await transformAddresses.purgeProject(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/api/v1/transform-statistics',
    {
      config: { serverAdmin: true },
      schema: {
        tags,
        summary: 'What this process did with pictures since it began',
        response: { 200: success(TransformStatistics) },
      },
    },
    async () => answer(clock, transforms.statistics),
  );
};
