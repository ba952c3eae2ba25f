import { Project, page, success, UpdateProjectBody } from '@carcosa/contracts';
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
      schema: { tags, summary: 'List the projects that you may see', response: { 200: success(page(Project)) } },
    },
    async (request) => answer(clock, await projects.list(request.actor)),
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
