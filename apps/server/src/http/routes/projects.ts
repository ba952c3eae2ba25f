import {
  CreateProjectBody,
  ListProjectsQuery,
  Project,
  page,
  queryBoolean,
  success,
  UpdateProjectBody,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const params = z.object({ id: z.string() });
const tags = ['projects'];

export const projectRoutes: Routes = (app, { projects, clock }) => {
  app.get(
    '/api/v1/projects',
    {
      config: { permission: 'projects:read' },
      schema: {
        tags,
        summary: 'List the projects that you may see',
        querystring: ListProjectsQuery,
        response: { 200: success(page(Project)) },
      },
    },
    async (request) => answer(clock, await projects.list(request.actor, request.query)),
  );

  app.post(
    '/api/v1/projects',
    {
      config: { login: true, idempotent: true },
      schema: {
        tags,
        summary: 'Make a project of a team',
        description: 'Its files are private unless its settings say otherwise.',
        body: CreateProjectBody,
        response: { 201: success(Project) },
      },
    },
    async (request, reply) => {
      reply.code(201);
      return answer(clock, await projects.create(request.actor, request.body));
    },
  );

  app.delete(
    '/api/v1/projects/:id',
    {
      config: { permission: 'projects:delete' },
      schema: {
        tags,
        summary: 'Remove a project',
        description: 'Its keys end and its addresses answer no more at once. One that has files needs `force=true`.',
        params,
        querystring: z.object({ force: queryBoolean.default(false) }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await projects.remove(request.actor, request.params.id, { withFiles: request.query.force });
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/api/v1/projects/:id',
    {
      config: { permission: 'projects:read' },
      schema: { tags, summary: 'Read a project', params, response: { 200: success(Project) } },
    },
    async (request) => answer(clock, await projects.get(request.actor, request.params.id)),
  );

  app.patch(
    '/api/v1/projects/:id',
    {
      config: { permission: 'projects:write' },
      schema: {
        tags,
        summary: 'Change the name or settings of a project',
        params,
        body: UpdateProjectBody,
        response: { 200: success(Project) },
      },
    },
    async (request) => answer(clock, await projects.update(request.actor, request.params.id, request.body)),
  );

  app.post(
    '/api/v1/projects/:id/rotate-signing-key',
    {
      config: { permission: 'projects:write' },
      schema: {
        tags,
        summary: 'Revoke every signed address of a project',
        params,
        response: { 200: success(Project) },
      },
    },
    async (request) => answer(clock, await projects.rotateSigningKey(request.actor, request.params.id)),
  );
};
