import { Callback, ListCallbacksQuery, page, success } from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const tags = ['callbacks'];
const params = z.object({ id: z.string() });

/** What apps were told of uploads that they let happen, and why not. */
export const callbackRoutes: Routes = (app, { callbacks, clock }) => {
  app.get(
    '/api/v1/callbacks',
    {
      config: { permission: 'projects:read' },
      schema: {
        tags,
        summary: 'List what apps were told of uploads',
        description: 'Newest first. `state=failed` is what was given up; `lastError` says why.',
        querystring: ListCallbacksQuery,
        response: { 200: success(page(Callback)) },
      },
    },
    async (request) => answer(clock, await callbacks.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/callbacks/:id',
    {
      config: { permission: 'projects:read' },
      schema: { tags, summary: 'Read what became of a callback', params, response: { 200: success(Callback) } },
    },
    async (request) => answer(clock, await callbacks.get(request.actor, request.params.id)),
  );

  app.post(
    '/api/v1/callbacks/:id/replay',
    {
      config: { permission: 'projects:write', limit: 'expensive' },
      schema: { tags, summary: 'Tell the app again', params, response: { 200: success(Callback) } },
    },
    async (request) => answer(clock, await callbacks.replay(request.actor, request.params.id)),
  );
};
